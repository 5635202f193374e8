// tokio on one thread: a task for each connection, as one writes for it.

mod listen;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn echo(mut socket: tokio::net::TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut room = vec![0u8; 16 * 1024];
    loop {
        let count = socket.read(&mut room).await?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&room[..count]).await?;
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("runtime");
    runtime.block_on(async {
        let listener = listen::listen_and_say();
        loop {
            if let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(echo(socket));
            }
        }
    })
}
