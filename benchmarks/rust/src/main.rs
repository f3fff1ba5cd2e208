//! Scrapes servers (URLs) with the crate cvmfs_server_scraper as it is by default, and prints
//! "host:port repository revision" for each replica.

use cvmfs_server_scraper::{ScrapedServer, Scraper, Server, ServerBackendType, ServerType};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut servers = Vec::new();
    for url in std::env::args().skip(1) {
        servers.push(Server::new(ServerType::Stratum1, ServerBackendType::AutoDetect, url.parse()?));
    }
    for scraped in Scraper::new().with_servers(servers).validate()?.scrape().await {
        match scraped {
            ScrapedServer::Collected(report) => {
                let endpoint = report.server().endpoint().to_string();
                let server = endpoint.trim_start_matches("http://").trim_end_matches('/');
                for repository in report.repositories() {
                    println!("{} {} {}", server, repository.name(), repository.revision());
                }
            }
            ScrapedServer::Failed(server) => eprintln!("{}: {}", server.hostname(), server.error()),
        }
    }
    Ok(())
}
