//! RESP as the models read and write it: their own reading of it, short and slow.

/// The first whole command in `bytes`, an array of bulk strings: its arguments and its length.
pub fn command(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let (count, mut at) = number(bytes, 0, b'*')?;
    let mut args = Vec::new();
    for _ in 0..count {
        let (length, start) = number(bytes, at, b'$')?;
        args.push(bytes.get(start..start + length)?.to_vec());
        at = start + length + 2;
        if bytes.len() < at {
            return None;
        }
    }
    Some((args, at))
}

fn number(bytes: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let line = bytes.get(at..)?;
    let end = line.iter().position(|&byte| byte == b'\n')?;
    assert_eq!(line[0], kind, "not a command: {}", line.escape_ascii());
    let digits = std::str::from_utf8(&line[1..end - 1]).expect("digits");
    Some((digits.parse().expect("a number"), at + end + 1))
}

/// A command's bytes.
pub fn say<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let args: Vec<Vec<u8>> = args.iter().map(|arg| bulk(arg.as_ref())).collect();
    array(&args)
}

pub fn bulk(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

pub fn array(elements: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", elements.len()).into_bytes(), elements.concat()].concat()
}

/// The length of the error at the start of `bytes`.
pub fn error(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    (bytes[0] == b'-').then_some(end + 1)
}
