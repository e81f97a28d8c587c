//! Client certificates: the names in them, and the roles that names have.

use super::{Fault, Proof, Recognised};
use crate::domain::role::Role;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::Arc;

/// Who is at the other end of a connection: the names of a certificate that was proved to be its own.
#[derive(Debug, Clone)]
pub struct Peer(Arc<[String]>);

impl Peer {
    /// The URI and DNS names of a certificate that the handshake has verified. The common name is none of them: nobody
    /// has to check what is written there.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Self([].into()) };
        let names = certificate.valid_uri_names().chain(certificate.valid_dns_names());
        Self(names.map(str::to_owned).collect())
    }
}

/// The names that have a role.
#[derive(Debug, Clone, Default)]
pub struct Certificates(HashMap<String, Role>);

impl Certificates {
    /// Whom each name makes: compared letter by letter, without wildcards.
    #[must_use]
    pub fn new(roles: impl IntoIterator<Item = (String, Role)>) -> Self {
        Self(roles.into_iter().collect())
    }

    /// Who a connection's certificate says it is.
    pub(super) fn recognise(&self, peer: Option<&Peer>) -> Result<Recognised, Fault> {
        let peer = peer.ok_or(Fault::Missing)?;
        let mut known = peer.0.iter().filter_map(|name| Some((name, *self.0.get(name)?)));
        // A certificate with the names of two callers could be either of them.
        let (Some((name, role)), None) = (known.next(), known.next()) else {
            return Err(Fault::UnknownCertificate);
        };
        let actor = role.played_by(name).map_err(|_| Fault::UnknownCertificate)?;
        Ok(Recognised { actor, role, by: Proof::Certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificates, Peer};
    use crate::domain::role::Role;
    use crate::trust::Fault;

    fn roles() -> Certificates {
        let named = |name: &str, role| (name.to_owned(), role);
        Certificates::new([
            named("spiffe://shop/render", Role::Worker),
            named("desk.shop.example", Role::Admin),
        ])
    }

    fn recognised(names: &[&str]) -> Result<String, Fault> {
        let peer = Peer(names.iter().map(|name| (*name).to_owned()).collect());
        roles().recognise(Some(&peer)).map(|known| known.actor.to_string())
    }

    #[test]
    fn a_name_with_a_role_is_who_calls() {
        assert_eq!(recognised(&["spiffe://shop/render"]), Ok("worker:spiffe://shop/render".to_owned()));
        assert_eq!(
            recognised(&["other.example", "desk.shop.example"]),
            Ok("admin:desk.shop.example".to_owned())
        );
    }

    #[test]
    fn names_without_a_role_and_names_of_two_callers_are_nobodys() {
        for names in [
            &[][..],
            &["spiffe://shop/render/"],
            &["SPIFFE://shop/render"],
            &["*.shop.example"],
            &["spiffe://shop/render", "desk.shop.example"],
        ] {
            assert_eq!(recognised(names), Err(Fault::UnknownCertificate), "{names:?}");
        }
        assert_eq!(roles().recognise(None), Err(Fault::Missing));
    }
}
