//! Connections of network handlers: a fresh one each time, from the host, with any certificate.

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime},
};
use socket2::SockRef;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long a closed connection may hold on to what was not sent.
const LINGER: Duration = Duration::from_secs(1);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The host's name means nothing.
    #[error("the name {0:?} can not be resolved")]
    Resolve(String, #[source] io::Error),
    /// Nobody took the connection.
    #[error("connect to {0}")]
    Tcp(String, #[source] io::Error),
    /// The name can not stand in a TLS greeting.
    #[error("{0:?} is not a host name")]
    Name(String, #[source] InvalidDnsNameError),
    /// No TLS.
    #[error("TLS handshake with {0}")]
    Tls(String, #[source] io::Error),
    /// This build's TLS library does not do.
    #[error("TLS")]
    Library(#[from] rustls::Error),
}

impl ConnectError {
    /// Whether a TLS greeting was answered by something that does not speak TLS.
    pub fn is_plain_answer(&self) -> bool {
        let Self::Tls(_, error) = self else { return false };
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        matches!(cause, Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)))
    }
}

/// Connects to the first address of `host` that takes it.
pub(super) async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![(ip, port).into()],
        Err(_) => {
            let found = tokio::net::lookup_host((host, port)).await;
            found.map_err(|error| ConnectError::Resolve(host.to_owned(), error))?.collect()
        }
    };
    let mut last = ConnectError::Resolve(host.to_owned(), io::ErrorKind::NotFound.into());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Best effort: without it a dead peer's socket only stays longer.
                let _ = SockRef::from(&stream).set_linger(Some(LINGER));
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = ConnectError::Tcp(address.to_string(), error),
        }
    }
    Err(last)
}

/// TLS over a connection, with HTTP/2 if the server has it.
pub(super) async fn tls(stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, ConnectError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| ConnectError::Name(host.to_owned(), error))?;
    let connector = TlsConnector::from(config()?);
    connector.connect(name, stream).await.map_err(|error| ConnectError::Tls(host.to_owned(), error))
}

/// Made when the first HTTPS handler runs: most nodes have none, and it takes memory.
fn config() -> Result<Arc<ClientConfig>, rustls::Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.clone()));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Connections are not repeated often enough to be resumed.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}

/// Takes every certificate: a probe asks whether the server answers, not who it is. The kubelet's rule.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
