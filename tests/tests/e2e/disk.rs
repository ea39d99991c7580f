//! A full disk (SQLite): new work is turned away, all else goes on, and it heals by itself.

use super::harness::tenant::{ended, pause, resource, task_path};
use super::harness::wait::LONG;
use super::harness::{Answer, Api, Data, Engine, Journey, Launch, Need, Server, journey, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub fn journeys() -> Vec<Journey> {
    let on_disk = |journey: Journey| journey.on(&[Engine::Sqlite]).needs(&[Need::Tmpfs]).alone();
    vec![
        on_disk(journey!(
            a_disk_that_others_fill_turns_new_work_away_and_heals_when_there_is_room
        )),
        on_disk(journey!(
            a_disk_that_its_own_data_fill_turns_new_work_away_and_heals_when_it_grows
        )),
        on_disk(journey!(
            a_disk_that_both_fill_leaves_room_to_end_what_was_accepted
        )),
        on_disk(journey!(
            a_server_that_starts_on_a_full_disk_ends_what_was_accepted
        )),
    ]
}

/// A small disk of our own.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new(size: &str) -> Self {
        let folder = TempDir::new().unwrap();
        mount(&[
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size}"),
            "tmpfs",
            folder.path().to_str().unwrap(),
        ]);
        Self { folder }
    }

    fn grow(&self, size: &str) {
        mount(&[
            "-o",
            &format!("remount,size={size}"),
            self.folder.path().to_str().unwrap(),
        ]);
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        for size in [1 << 20, 4096, 1] {
            let zeros = vec![0; size];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that failed may still be there.
        let done = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{} is left behind", self.path().display());
        }
    }
}

fn mount(arguments: &[&str]) {
    assert!(
        Command::new("mount").args(arguments).status().unwrap().success(),
        "mount {arguments:?}"
    );
}

async fn server_on(disk: &Disk) -> Server {
    let url = format!("sqlite://{}", disk.path().join("e2e.db").display());
    Launch::on(Data::at(url)).start().await
}

/// common.md: "`Retry-After` on 503"; "an overloaded store answers 503 at once"; registry: `INTERNAL`.
#[track_caller]
fn assert_turned_away(answer: Answer) {
    let answer = answer.refused(503, "INTERNAL", &[]);
    answer
        .header("retry-after")
        .parse::<u32>()
        .expect("whole seconds");
}

/// What was answered before the disk was full.
struct Before {
    records: Vec<String>,
    tasks: Vec<String>,
}

const LARGE: usize = 200 << 10;
/// So many of the waiting tasks are cancelled.
const CANCELLED: usize = 10;

fn body(id: &str, bytes: usize) -> Value {
    json!({"data": {"id": id, "text": "x".repeat(bytes)}})
}

/// Small tasks that wait, and so many large records.
async fn some_work(api: &Api, records: usize) -> Before {
    let mut before = Before {
        records: Vec::new(),
        tasks: Vec::new(),
    };
    pause(api, true).await;
    for n in 0..100 {
        let later = resource(&format!("later/{n}"));
        before
            .tasks
            .push(api.put(&later, body("later", 500)).later().await.is(202).task());
    }
    for n in 0..records {
        let id = format!("patient/{n}");
        api.put(&resource(&id), body(&id, LARGE)).await.is(201);
        before.records.push(id);
    }
    before
}

/// The same, and then large records until there is no room for more.
async fn work_until_it_is_full(api: &Api) -> Before {
    let mut before = some_work(api, 20).await;
    for n in 20..1000 {
        let id = format!("patient/{n}");
        let answer = api.put(&resource(&id), body(&id, LARGE)).await;
        if answer.status == 503 {
            assert_turned_away(answer);
            return before;
        }
        answer.is(201);
        before.records.push(id);
    }
    panic!("a small disk took 200 MB");
}

async fn assert_new_work_is_turned_away(api: &Api) {
    assert_turned_away(api.put(&resource("patient/new"), body("new", 10)).await);
    assert_turned_away(api.put(&resource("patient/new"), body("new", 10)).later().await);
    assert_turned_away(api.post(&resource("patient"), body("new", 10)).await);
    let ops = api.post("/ops/v1/patients", json!({})).await.problem(503);
    ops.header("retry-after").parse::<u32>().expect("whole seconds");
}

async fn assert_reads_go_on(api: &Api, before: &Before) {
    for id in before.records.iter().step_by(7) {
        assert_eq!(
            api.get(&resource(id)).await.is(200).json()["data"]["id"],
            json!(id)
        );
    }
    api.get(&format!("{}?limit=5", resource("patient"))).await.is(200);
    api.get(&resource("patient/new")).await.error(404, "NOT_FOUND");
    api.get("/ops/v1/tasks?limit=5").await.is(200);
    api.get("/ops/v1/queues").await.is(200);
    api.get("/ops/v1/audit").await.is(200);
    api.get("/health/live").await.is(200);
}

/// Cancels some of the waiting tasks and lets the others run.
async fn assert_work_goes_on(api: &Api, before: &Before) {
    let (to_cancel, to_do) = before.tasks.split_at(CANCELLED);
    for task in to_cancel {
        let cancelled = api
            .call(Method::POST, &format!("/ops/v1/tasks/{task}/cancel"))
            .await
            .is(200)
            .json();
        assert_eq!(cancelled["state"], "cancelled");
        assert_eq!(
            api.get(&task_path(task)).await.is(200).json()["status"],
            "CANCELLED"
        );
    }
    pause(api, false).await;
    for task in to_do {
        let seen = ended(api, task).await;
        assert_eq!(seen["status"], "SUCCESS", "{seen}");
        let attempts = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json()["attempts"].clone();
        assert_eq!(
            attempts.as_array().unwrap().len(),
            1,
            "a full disk is no fault of the task: {attempts}"
        );
    }
}

async fn assert_healed(api: &Api, before: &Before) {
    until("new work is taken again", Duration::from_secs(10), async || {
        let answer = api.put(&resource("patient/healed"), body("healed", LARGE)).await;
        if answer.status == 503 {
            assert_turned_away(answer);
            return None;
        }
        answer.is(201);
        Some(())
    })
    .await;
    let task = api
        .put(&resource("patient/healed"), body("healed again", 10))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(api, &task).await["status"], "SUCCESS");
    for id in &before.records {
        assert_eq!(
            api.get(&resource(id)).await.is(200).json()["data"]["id"],
            json!(id),
            "it is still there"
        );
    }
    api.get("/health/ready").await.is(200);
}

async fn until_new_work_is_turned_away(api: &Api) {
    until("new work is turned away", LONG, async || {
        let answer = api.put(&resource("probe/x"), body("probe", 10)).await;
        (answer.status == 503).then_some(())
    })
    .await;
    assert_new_work_is_turned_away(api).await;
}

/// Issue 2, done when 6: "A full disk (a small tmpfs) gives 503 for new work, keeps reads, cancels and completions going,
/// and heals by itself when there is room".
async fn a_disk_that_others_fill_turns_new_work_away_and_heals_when_there_is_room(_: Engine) {
    let disk = Disk::new("48m");
    let server = server_on(&disk).await;
    let (api, pid) = (server.api(), server.pid());
    let before = some_work(&api, 20).await;
    disk.fill();
    until_new_work_is_turned_away(&api).await;
    assert_reads_go_on(&api, &before).await;
    assert_work_goes_on(&api, &before).await;
    assert_reads_go_on(&api, &before).await;
    disk.empty();
    assert_healed(&api, &before).await;
    assert_eq!(
        (server.ended(), server.pid()),
        (None, pid),
        "it was never restarted"
    );
    assert_kept(server, &before).await;
}

/// The same without anybody else: only its own data fill the disk.
async fn a_disk_that_its_own_data_fill_turns_new_work_away_and_heals_when_it_grows(_: Engine) {
    let disk = Disk::new("48m");
    let server = server_on(&disk).await;
    let api = server.api();
    let mut before = work_until_it_is_full(&api).await;
    assert_new_work_is_turned_away(&api).await;
    assert_reads_go_on(&api, &before).await;
    assert_work_goes_on(&api, &before).await;
    // A delete makes room, or will: it is not new work.
    let deleted = api.delete(&resource(&before.records.remove(0))).await;
    assert_eq!(
        deleted.status, 200,
        "design.md: \"cancel, delete and completion always have room\": {}",
        deleted.text
    );
    disk.grow("96m");
    assert_healed(&api, &before).await;
    assert_kept(server, &before).await;
}

/// The room that is kept for what was accepted is not given away before it is needed.
async fn a_disk_that_both_fill_leaves_room_to_end_what_was_accepted(_: Engine) {
    let disk = Disk::new("48m");
    let server = server_on(&disk).await;
    let api = server.api();
    let before = work_until_it_is_full(&api).await;
    disk.fill();
    assert_new_work_is_turned_away(&api).await;
    assert_reads_go_on(&api, &before).await;
    assert_work_goes_on(&api, &before).await;
    disk.empty();
    disk.grow("96m");
    assert_healed(&api, &before).await;
    assert_kept(server, &before).await;
}

/// common.md, promise 2: "An accepted task ends, whatever crashes in between".
async fn a_server_that_starts_on_a_full_disk_ends_what_was_accepted(_: Engine) {
    let disk = Disk::new("48m");
    let mut server = server_on(&disk).await;
    let before = some_work(&server.api(), 20).await;
    disk.fill();
    server.kill().await;
    server.start_again().await;
    let api = server.api();
    until_new_work_is_turned_away(&api).await;
    assert_reads_go_on(&api, &before).await;
    assert_work_goes_on(&api, &before).await;
    disk.empty();
    assert_healed(&api, &before).await;
    assert_kept(server, &before).await;
}

/// What was answered is on the disk and not only in the head of the server that answered.
async fn assert_kept(mut server: Server, before: &Before) {
    server.kill().await;
    server.start_again().await;
    let api = server.api();
    for id in before
        .records
        .iter()
        .map(String::as_str)
        .chain(["patient/healed"])
    {
        api.get(&resource(id)).await.is(200);
    }
    for (n, task) in before.tasks.iter().enumerate() {
        let expected = if n < CANCELLED { "CANCELLED" } else { "SUCCESS" };
        assert_eq!(
            api.get(&task_path(task)).await.is(200).json()["status"],
            expected,
            "task {n}"
        );
    }
}
