// The tasks of runtime comparisons, on tokio's current-thread runtime.
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

async fn spawn_and_join(count: i64) -> i64 {
    let mut handles: Vec<JoinHandle<i64>> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        handles.push(tokio::spawn(async {
            tokio::task::yield_now().await;
            1
        }));
    }
    let mut counted = 0;
    for handle in handles {
        counted += handle.await.unwrap();
    }
    counted
}

fn skynet_node(first: i64, size: i64) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return first;
        }
        let children: Vec<JoinHandle<i64>> =
            (0..10).map(|i| tokio::spawn(skynet_node(first + i * size / 10, size / 10))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

async fn channel(count: i64) -> i64 {
    let (to, mut at_echo) = mpsc::channel::<i64>(1);
    let (back, mut at_home) = mpsc::channel::<i64>(1);
    tokio::spawn(async move {
        while let Some(value) = at_echo.recv().await {
            back.send(value + 1).await.unwrap();
        }
    });
    let mut value = 0;
    for _ in 0..count {
        to.send(value).await.unwrap();
        value = at_home.recv().await.unwrap();
    }
    value
}

async fn tcp(count: i64) -> i64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut room = [0u8; 64];
        loop {
            let got = socket.read(&mut room).await.unwrap();
            if got == 0 {
                return;
            }
            socket.write_all(&room[..got]).await.unwrap();
        }
    });
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let mut message = [0u8; 64];
    for _ in 0..count {
        socket.write_all(&message).await.unwrap();
        socket.read_exact(&mut message).await.unwrap();
    }
    count
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count: i64 = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(0);
    let task = arguments.get(1).map(String::as_str).unwrap_or("");
    if count <= 0 || !["spawn", "skynet", "channel", "tcp"].contains(&task) {
        eprintln!("usage: tokio_runtime TASK COUNT; tasks: spawn skynet channel tcp");
        std::process::exit(2);
    }
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let result = runtime.block_on(async move {
        match task {
            "spawn" => spawn_and_join(count).await,
            "skynet" => skynet_node(0, count).await,
            "channel" => channel(count).await,
            _ => tcp(count).await,
        }
    });
    let took = began.elapsed().as_nanos() as f64;
    assert_eq!(result, if task == "skynet" { count * (count - 1) / 2 } else { count });
    println!("{:.2}", took / count as f64);
}
