//! The settings of gRPC-Web: whether browsers may call, and from which pages.

use clap::Args;
use http::{HeaderValue, Uri};

/// Whether browsers may call.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Browsers")]
pub struct WebSettings {
    /// Serve gRPC-Web as well, to the pages of --grpc-web-origin; without it nobody may speak HTTP/1.1
    #[arg(long, env = "MAKEGOOD_GRPC_WEB")]
    grpc_web: bool,
    /// A site whose pages may call, as `https://shop.example`; may be repeated
    #[arg(long = "grpc-web-origin", value_name = "ORIGIN", env = "MAKEGOOD_GRPC_WEB_ORIGINS")]
    #[arg(value_delimiter = ',', value_parser = origin)]
    origins: Vec<HeaderValue>,
}

impl WebSettings {
    /// The origins whose pages may call, if gRPC-Web is served.
    #[must_use]
    pub fn origins(&self) -> Option<Vec<HeaderValue>> {
        self.grpc_web.then(|| self.origins.clone())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.grpc_web || self.origins.is_empty() {
            return Ok(());
        }
        Err("--grpc-web-origin says whose pages may call by gRPC-Web, which only --grpc-web serves"
            .to_owned())
    }
}

/// An origin letter by letter as browsers send it: scheme, host, and the port where it is not the scheme's own.
fn origin(text: &str) -> Result<HeaderValue, String> {
    const FORM: &str = "write an origin as browsers send it, such as `https://shop.example` or \
                        `http://localhost:5173`: no path, small letters, no usual port, and no `*`";
    let uri: Uri = text.parse().map_err(|_| FORM)?;
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(FORM.to_owned()),
    };
    let port =
        uri.port_u16().filter(|port| *port != usual).map_or_else(String::new, |port| format!(":{port}"));
    let sent = format!("{scheme}://{host}{port}");
    if text != sent || text != text.to_lowercase() || host.contains('*') {
        return Err(FORM.to_owned());
    }
    HeaderValue::from_str(text).map_err(|_| FORM.to_owned())
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for right in ["https://shop.example", "http://localhost:5173", "https://10.0.0.1:8443"] {
            assert!(origin(right).is_ok(), "{right}");
        }
        for wrong in [
            "*",
            "null",
            "https://*",
            "https://*.shop.example",
            "shop.example",
            "https://shop.example/",
            "https://shop.example/page",
            "https://shop.example:443",
            "https://Shop.example",
            "https://ada@shop.example",
            "ftp://shop.example",
            "https://",
            "",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
