//! Commands: whatever the bytes and however they are cut, the scanner comes to the same, its spans
//! are arguments, and what it passes on is what it would write itself.

#![no_main]

use circlet::resp::{
    ProtocolError, Request, RequestLimits, RequestScanner, Scan, Span, inline, write,
};
use libfuzzer_sys::fuzz_target;

/// Small, so that inputs of a few hundred bytes reach them.
const LIMITS: RequestLimits = RequestLimits { bulk: 300, arguments: 40, inline: 200, command: 500, once_known: None };

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (cuts, bytes) = input;
    let mut rest = &bytes[..];
    loop {
        let whole = scan_whole(rest);
        assert_eq!(whole, scan_in_pieces(rest, &cuts));
        let Ok((Scan::Done(length), args, inline)) = whole else { return };
        check(&rest[..length], &args, inline);
        rest = &rest[length..];
    }
});

type Outcome = Result<(Scan, Vec<Span>, bool), ProtocolError>;

fn scan_whole(bytes: &[u8]) -> Outcome {
    let mut scanner = RequestScanner::default();
    let scan = scanner.scan(bytes, &LIMITS)?;
    Ok((scan, scanner.args().to_vec(), scanner.is_inline()))
}

fn scan_in_pieces(bytes: &[u8], cuts: &[u8]) -> Outcome {
    let mut scanner = RequestScanner::default();
    let mut due = 0;
    let mut shown = 0;
    let mut cuts = cuts.iter().cycle();
    loop {
        let scan = scanner.scan(&bytes[..shown], &LIMITS)?;
        match scan {
            Scan::Done(length) => assert!(due <= length && length <= shown),
            Scan::More(missing) => {
                assert!(missing > 0);
                due = shown + missing;
            }
        }
        if matches!(scan, Scan::Done(_)) || shown == bytes.len() {
            return Ok((scan, scanner.args().to_vec(), scanner.is_inline()));
        }
        let piece = cuts.next().map_or(1, |&cut| usize::from(cut).max(1));
        shown = (shown + piece).min(bytes.len());
    }
}

fn check(command: &[u8], args: &[Span], is_inline: bool) {
    let mut canonical = Vec::new();
    if is_inline {
        assert!(args.is_empty());
        if inline::encode(command, &mut canonical).is_ok() && !canonical.is_empty() {
            let mut scanner = RequestScanner::default();
            let scan = scanner.scan(&canonical, &RequestLimits::default());
            assert_eq!(scan, Ok(Scan::Done(canonical.len())));
        }
    } else if !args.is_empty() {
        let request = Request::new(command, args);
        let args: Vec<&[u8]> = request.args().collect();
        write::command(&mut canonical, &args);
        assert_eq!(canonical, command);
        let wire: Vec<u8> =
            (0..request.len()).flat_map(|arg| request.wire_arg(arg)).copied().collect();
        assert!(command.ends_with(&wire));
    }
}
