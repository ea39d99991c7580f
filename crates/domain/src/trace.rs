//! Where work belongs in a distributed trace: W3C Trace Context, the header `traceparent`.

use std::fmt;

/// A span that others continue, as `traceparent` names it; nothing of what happened in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// Whether whoever began the trace records it.
    pub sampled: bool,
}

impl TraceParent {
    /// Version 00, or what is that in a later version. Anything else is to be ignored, as the standard wants it.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, rest) = text.split_once('-')?;
        let (trace_id, rest) = rest.split_once('-')?;
        let (span_id, rest) = rest.split_once('-')?;
        let (flags, later) = match rest.split_once('-') {
            Some((flags, _)) => (flags, true),
            None => (rest, false),
        };
        let [version] = hex(version)?;
        let [flags] = hex(flags)?;
        if version == 0xff || (version == 0 && later) {
            return None;
        }
        let (trace_id, span_id) = (hex(trace_id)?, hex(span_id)?);
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

/// Lower case only.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (hex::encode(self.trace_id), hex::encode(self.span_id));
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_well_formed_is_taken_and_told_alike() {
        let parent = TraceParent::parse(GOOD).unwrap();
        assert_eq!(parent.to_string(), GOOD);
        assert_eq!((parent.trace_id[0], parent.span_id[7]), (0x0a, 0x31));
        for (text, sampled) in [
            (GOOD.replace("-01", "-00"), false),
            // Flags that are not known yet, and a later version with more behind.
            (GOOD.replace("-01", "-ff"), true),
            (format!("cc{}-what-comes", &GOOD[2..]), true),
        ] {
            assert_eq!(
                TraceParent::parse(&text).map(|p| p.sampled),
                Some(sampled),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_malformed_is_none() {
        for text in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &format!("{GOOD} "),
            &format!("ff{}", &GOOD[2..]),
            &GOOD.to_uppercase(),
            &GOOD.replace("0af7", "0AF7"),
            &GOOD.replace("0af7", "0xf7"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace("b7ad6b7169203331", "b7ad6b716920333é"),
            &GOOD.replace('-', "_"),
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }
}
