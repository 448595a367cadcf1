//! Whose a client's certificate is.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::CertificateUser;

/// Why a verified certificate names no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoUser {
    /// The field that `tls_user` means is not in it.
    #[error("the certificate has no such name")]
    Lacks,
    /// Two users would be one too many.
    #[error("the certificate has more than one such name")]
    Several,
    /// It cannot be read, though it was verified.
    #[error("the certificate cannot be read")]
    Unreadable,
}

/// The one name in the certificate that is the user's, as `tls_user` says.
pub fn user(certificate: &CertificateDer<'_>, field: CertificateUser) -> Result<String, NoUser> {
    let (_, read) = X509Certificate::from_der(certificate).map_err(|_| NoUser::Unreadable)?;
    let names = match field {
        CertificateUser::None => Vec::new(),
        CertificateUser::Cn => common_names(&read)?,
        CertificateUser::Dns | CertificateUser::Email | CertificateUser::Uri => {
            alternative_names(&read, field)?
        }
    };
    match &names[..] {
        [] | [""] => Err(NoUser::Lacks),
        [name] => Ok((*name).to_owned()),
        _ => Err(NoUser::Several),
    }
}

fn common_names<'a>(read: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, NoUser> {
    let names = read.subject().iter_common_name();
    names.map(|name| name.as_str().map_err(|_| NoUser::Unreadable)).collect()
}

fn alternative_names<'a>(
    read: &'a X509Certificate<'_>,
    field: CertificateUser,
) -> Result<Vec<&'a str>, NoUser> {
    let found = read.subject_alternative_name().map_err(|_| NoUser::Unreadable)?;
    let Some(found) = found else { return Ok(Vec::new()) };
    let names = found.value.general_names.iter().filter_map(|name| match (name, field) {
        (GeneralName::DNSName(name), CertificateUser::Dns)
        | (GeneralName::RFC822Name(name), CertificateUser::Email)
        | (GeneralName::URI(name), CertificateUser::Uri) => Some(*name),
        _ => None,
    });
    Ok(names.collect())
}
