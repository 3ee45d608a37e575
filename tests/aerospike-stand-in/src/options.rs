//! How a stand-in is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;

use crate::store::NamespaceOptions;

/// The one user.
#[derive(Clone)]
pub struct User {
    /// Name.
    pub name: String,
    /// Password, as the client has it.
    pub password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a stand-in is set up. The default: any free port of the loopback, namespaces `test` and `hevlayer`, nobody has to
/// log in.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to listen for commands in lines, if at all.
    pub control_listen: Option<SocketAddr>,
    /// Namespaces, in the order in which they are listed.
    pub namespaces: Vec<(String, NamespaceOptions)>,
    /// The cluster's name; none: the server says `null`.
    pub cluster_name: Option<String>,
    /// The node's name.
    pub node_name: String,
    /// The version that it claims, four numbers.
    pub build: String,
    /// Who may log in; none: security is off.
    pub user: Option<User>,
    /// Speaks TLS only.
    pub tls: Option<Arc<ServerConfig>>,
    /// Refuses durable deletes with code 25, as the Community Edition does.
    pub is_community: bool,
}

impl Default for Options {
    fn default() -> Self {
        let namespaces = ["test", "hevlayer"].map(|name| (name.to_owned(), NamespaceOptions::default()));
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control_listen: None,
            namespaces: namespaces.into(),
            cluster_name: None,
            node_name: "BB9STANDIN000001".to_owned(),
            build: "8.1.2.0".to_owned(),
            user: None,
            tls: None,
            is_community: false,
        }
    }
}

impl Options {
    /// The same with these settings for a namespace, which is added if it was not there.
    #[must_use]
    pub fn with_namespace(mut self, name: &str, options: NamespaceOptions) -> Self {
        self.namespaces.retain(|(other, _)| other != name);
        self.namespaces.push((name.to_owned(), options));
        self
    }
}
