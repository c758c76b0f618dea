//! One thread that starts every server of this process.
//!
//! Servers carry the parent-death signal, so that none outlives a killed test. The kernel sends
//! that signal when the *thread* that started the child ends, and test or worker threads end early;
//! this thread lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Request = (Command, Sender<io::Result<Child>>);

/// Starts `command` from the process-long thread.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static THREAD: OnceLock<Sender<Request>> = OnceLock::new();
    let requests = THREAD.get_or_init(|| {
        let (sender, receiver) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, reply) in receiver {
                // A caller that went away drops its receiver; its child is then nobody's to keep.
                if let Err(unsent) = reply.send(command.spawn())
                    && let Ok(mut child) = unsent.0
                {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        });
        sender
    });
    let (reply, result) = channel();
    requests.send((command, reply)).expect("the thread never ends while its sender lives");
    result.recv().expect("the thread answers every request")
}
