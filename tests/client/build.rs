//! Makes the client from what the program under test, `CARETRACK_BIN`, prints.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=CARETRACK_BIN");
    let program = std::env::var("CARETRACK_BIN").expect("CARETRACK_BIN names the program");
    println!("cargo::rerun-if-changed={program}");
    let printed = Command::new(program)
        .args(["openapi", "--version", "3.0"])
        .output()
        .expect("the program starts");
    assert!(printed.status.success(), "the program prints no document");
    let document = serde_json::from_slice(&printed.stdout).expect("the document is OpenAPI 3.0");

    let mut settings = progenitor::GenerationSettings::default();
    settings.with_interface(progenitor::InterfaceStyle::Builder);
    let tokens = progenitor::Generator::new(&settings)
        .generate_tokens(&document)
        .expect("a client can be made from the document");
    let client = prettyplease::unparse(&syn::parse2(tokens).expect("the client is Rust"));
    let folder = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    std::fs::write(folder.join("client.rs"), client).expect("there is room");
}
