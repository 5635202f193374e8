// A listener on a free port of this machine, which it prints; what it accepts does not delay small packets.

pub fn listen_and_say() -> tokio::net::TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    println!("{}", listener.local_addr().expect("address").port());
    tokio::net::TcpListener::from_std(listener).expect("listener")
}
