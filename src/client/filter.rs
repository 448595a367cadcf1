//! Which sessions CLIENT LIST tells of and CLIENT KILL ends.

use super::describe::Kind;
use super::local::integer;
use super::session::Session;
use crate::resp::Request;

/// What CLIENT KILL asks for; a session that meets all of it is ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    id: Option<u64>,
    kind: Option<Kind>,
    address: Option<Vec<u8>>,
    own_address: Option<Vec<u8>>,
    pub(super) user: Option<Vec<u8>>,
    /// Seconds that it has been connected at least.
    max_age: Option<u64>,
    /// Whether the session that asks is spared.
    pub(super) skip_me: bool,
}

impl Filter {
    /// `CLIENT KILL address`.
    pub(super) fn of_address(address: &[u8]) -> Self {
        Self { address: Some(address.to_vec()), ..Self::default() }
    }

    /// `CLIENT KILL option value …`.
    pub(super) fn parse(request: &Request<'_>) -> Result<Self, String> {
        let mut filter = Self { skip_me: true, ..Self::default() };
        let mut index = 2;
        while index < request.len() {
            if index + 1 == request.len() {
                return Err(SYNTAX.into());
            }
            filter.take(request.arg(index), request.arg(index + 1))?;
            index += 2;
        }
        Ok(filter)
    }

    fn take(&mut self, option: &[u8], value: &[u8]) -> Result<(), String> {
        match &option.to_ascii_lowercase()[..] {
            b"id" => {
                let id = integer(value).filter(|&id| id > 0);
                self.id = Some(id.ok_or("ERR client-id should be greater than 0")? as u64);
            }
            b"type" => self.kind = Some(kind(value)?),
            b"addr" => self.address = Some(value.to_vec()),
            b"laddr" => self.own_address = Some(value.to_vec()),
            b"user" => self.user = Some(value.to_vec()),
            b"maxage" => {
                let age = integer(value).ok_or("ERR maxage is not an integer or out of range")?;
                let age = u64::try_from(age).ok().filter(|&age| age > 0);
                self.max_age = Some(age.ok_or("ERR maxage should be greater than 0")?);
            }
            b"skipme" => match &value.to_ascii_lowercase()[..] {
                b"yes" => self.skip_me = true,
                b"no" => self.skip_me = false,
                _ => return Err(SYNTAX.into()),
            },
            _ => return Err(SYNTAX.into()),
        }
        Ok(())
    }

    /// Whether `session`, which speaks as `user`, meets all that is asked for.
    pub(super) fn meets(&self, session: &Session, user: &[u8]) -> bool {
        let asked = |wanted: &Option<Vec<u8>>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value.as_bytes())
        };
        let (peer, own) = match self.address.is_some() || self.own_address.is_some() {
            true => session.addresses(),
            false => Default::default(),
        };
        self.id.is_none_or(|id| id == session.id)
            && self.kind.is_none_or(|kind| kind == session.kind())
            && self.user.as_ref().is_none_or(|wanted| wanted == user)
            && self.max_age.is_none_or(|age| session.since.elapsed().as_secs() >= age)
            && asked(&self.address, &peer)
            && asked(&self.own_address, &own)
    }
}

/// What CLIENT LIST asks for.
#[derive(Debug, Clone)]
pub(super) enum Listed {
    All,
    OfKind(Kind),
    /// In this order, and as often.
    Ids(Vec<u64>),
}

impl Listed {
    /// `CLIENT LIST [TYPE type | ID id …]`.
    pub(super) fn parse(request: &Request<'_>) -> Result<Self, String> {
        let is = |word: &[u8]| request.len() > 2 && request.arg(2).eq_ignore_ascii_case(word);
        match request.len() {
            2 => Ok(Self::All),
            4 if is(b"type") => Ok(Self::OfKind(kind(request.arg(3))?)),
            4.. if is(b"id") => {
                let ids = request.args().skip(3).map(|id| integer(id).map(|id| id as u64));
                ids.collect::<Option<_>>().map(Self::Ids).ok_or("ERR Invalid client ID".into())
            }
            _ => Err(SYNTAX.into()),
        }
    }

    /// Whether `session` may be among those that are told of.
    pub(super) fn meets(&self, session: &Session) -> bool {
        match self {
            Self::All => true,
            Self::OfKind(kind) => *kind == session.kind(),
            Self::Ids(ids) => ids.contains(&session.id),
        }
    }
}

fn kind(name: &[u8]) -> Result<Kind, String> {
    Kind::from_name(name)
        .ok_or_else(|| format!("ERR Unknown client type '{}'", String::from_utf8_lossy(name)))
}

pub(super) const SYNTAX: &str = "ERR syntax error";
