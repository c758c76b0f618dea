//! Uploads, the same in a folder as in object storage: one course of events on both, with the real
//! service and a real S3 server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use nix::sys::signal::Signal;
use sandbox::ObjectStorage;
use serde_json::{Value, json};
use wire::tencent::signature::sha256_hex;

use crate::interrupt::wait_until;
use crate::memory::peak_mib;
use crate::native::{ask, ask_with, check};
use crate::objects;
use crate::service::Site;

/// Bytes that a file may have here: some more than three parts.
const BYTES_MAX: usize = 26_000_000;
/// Bytes of a file that comes in parts, which are no multiple of anything.
const SIZE: usize = 25_000_013;

/// A service and what its uploads leave.
struct Course {
    site: Site,
    storage: Option<ObjectStorage>,
}

impl Course {
    fn in_folder() -> Course {
        let site = objects::site(None, &format!("upload_bytes_max = {BYTES_MAX}\n"), "");
        Course { site, storage: None }
    }

    fn in_storage() -> Course {
        let storage = ObjectStorage::start(&["dbferry"]).unwrap();
        let more = format!("upload_bytes_max = {BYTES_MAX}\n");
        let s3 = "uploads = \"s3://dbferry/uploads\"\n";
        let site = objects::site(Some(&storage.endpoint()), &more, s3);
        Course { site, storage: Some(storage) }
    }

    /// How many things there are: files, or objects and parts of such.
    fn left(&self) -> usize {
        match &self.storage {
            None => std::fs::read_dir(self.site.data().join("uploads")).unwrap().count(),
            Some(storage) => storage.keys("dbferry").unwrap().len() + storage.parts().unwrap(),
        }
    }

    fn put(&self, name: &str, headers: &str, body: &[u8]) -> (u16, Value) {
        let path = format!("/api/v1/uploads/{name}");
        ask_with(&self.site, &self.site.key, "PUT", &path, headers, body)
    }

    /// Sends the bytes from one place to another of a file of so many.
    fn put_part(&self, name: &str, file: &[u8], from: usize, to: usize) -> (u16, Value) {
        let range = format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, file.len());
        self.put(name, &range, &file[from..to])
    }

    fn shown(&self, name: &str) -> Value {
        check(&self.site, &self.site.key, ("GET", &format!("/api/v1/uploads/{name}"), b""), 200)
    }

    fn remove(&self, name: &str) -> u16 {
        ask(&self.site, &self.site.key, "DELETE", &format!("/api/v1/uploads/{name}"), b"").0
    }
}

/// Bytes that repeat nowhere near.
fn file(size: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[track_caller]
fn is_whole(answer: &(u16, Value), file: &[u8]) {
    let (status, document) = answer;
    assert_eq!(*status, 201, "{document}");
    assert_eq!(document["sha256"], json!(sha256_hex(file)), "{document}");
    assert_eq!(document["size_bytes"], json!(file.len()));
}

/// Whole files of every size, replaced, listed and removed.
fn check_whole(course: &Course) {
    let large = file(SIZE);
    is_whole(&course.put("a.sql", "", &large), &large);
    assert_eq!(course.left(), 1);
    is_whole(&course.put("a.sql", "", b"SELECT 1;\n"), b"SELECT 1;\n");
    assert_eq!(course.left(), 1, "the replaced one is gone");
    is_whole(&course.put("empty.sql", "", b""), b"");
    // A whole number of parts.
    is_whole(&course.put("even.sql", "", &large[..16 << 20]), &large[..16 << 20]);
    let list = check(&course.site, &course.site.key, ("GET", "/api/v1/uploads", b""), 200);
    assert_eq!(list["total"], json!(3), "{list}");
    for name in ["a.sql", "empty.sql", "even.sql"] {
        assert_eq!((course.remove(name), course.remove(name)), (204, 404), "{name}");
    }
    for name in ["..%2Fa", "a%2Fb", ".hidden", "%00", "a%0Ab"] {
        assert_eq!(course.put(name, "", b"x").0, 400, "{name}");
    }
    assert_eq!(course.left(), 0);
}

/// A file in parts of any size, over a kill and over a break.
fn check_parts(course: &mut Course) {
    let whole = file(SIZE);
    let (status, document) = course.put_part("b.sql", &whole, 0, 10_000_001);
    assert_eq!((status, &document["received_bytes"]), (202, &json!(10_000_001)));
    let (status, document) = course.put_part("b.sql", &whole, 5, 20);
    assert_eq!((status, &document["received_bytes"]), (409, &json!(10_000_001)));
    course.site.service.end(Signal::SIGKILL);
    course.site.restart();
    assert_eq!(course.shown("b.sql")["received_bytes"], json!(10_000_001));
    assert_eq!(course.put_part("b.sql", &whole, 10_000_001, 10_000_002).0, 202);
    assert_eq!(course.put_part("b.sql", &whole, 10_000_002, 12_000_000).0, 202);
    break_off(course, "b.sql", &whole, 12_000_000, 20_000_000);
    let mut received = 0;
    // The service hears of the break when it comes to it.
    wait_until(|| {
        received = course.shown("b.sql")["received_bytes"].as_u64().unwrap() as usize;
        received > 12_000_000
    });
    assert!(received <= 20_000_000, "{received}");
    let rest = || course.put_part("b.sql", &whole, received, SIZE);
    wait_until(|| match rest() {
        answer @ (201, _) => {
            is_whole(&answer, &whole);
            true
        }
        (status, document) => {
            assert_eq!((status, &document["title"]), (409, &json!("Conflict")), "{document}");
            false
        }
    });
    assert_eq!(course.left(), 1, "nothing is left beside the file");
    assert_eq!(course.put_part("b.sql", &whole, 5, 20).0, 409, "it is finished");
    assert_eq!(course.remove("b.sql"), 204);
    // Less than a part at first.
    assert_eq!(course.put_part("b.sql", &whole, 0, 3_000_000).0, 202);
    assert_eq!(course.put_part("b.sql", &whole, 3_000_000, 9_000_000).0, 202);
    is_whole(&course.put_part("b.sql", &whole, 9_000_000, SIZE), &whole);
    assert_eq!(course.remove("b.sql"), 204);
    assert_eq!(course.left(), 0);
}

/// Promises the rest of a file and goes away on the way.
fn break_off(course: &Course, name: &str, file: &[u8], from: usize, to: usize) {
    let range = format!("Content-Range: bytes {from}-{}/{SIZE}\r\n", SIZE - 1);
    let (site, path) = (&course.site, format!("/api/v1/uploads/{name}"));
    let head = site.request_head("PUT", &path, &site.key, SIZE - from);
    let head = head.replace("Connection: close\r\n", &format!("{range}Connection: close\r\n"));
    let mut stream = TcpStream::connect(&site.service.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&file[from..to]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    // Whatever it answers.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// What is not to be kept leaves nothing.
fn check_given_up(course: &mut Course) {
    let whole = file(SIZE);
    let range = format!("Content-Range: bytes 0-9/{}\r\n", BYTES_MAX + 1);
    assert_eq!(course.put("c.sql", &range, &whole[..10]).0, 413);
    assert_eq!(course.left(), 0);
    assert_eq!(course.put_part("c.sql", &whole, 0, 18_000_000).0, 202);
    assert!(course.left() > 0);
    // Begun anew, and removed.
    assert_eq!(course.put_part("c.sql", &whole, 0, 9_000_000).0, 202);
    assert_eq!(course.remove("c.sql"), 204);
    assert_eq!(course.left(), 0);
    // One that nobody goes on with, and one that nobody imports.
    assert_eq!(course.put_part("d.sql", &whole, 0, 18_000_000).0, 202);
    is_whole(&course.put("e.sql", "", &whole), &whole);
    course.site.service.end(Signal::SIGKILL);
    expire_all(&course.site);
    course.site.restart();
    let list = || check(&course.site, &course.site.key, ("GET", "/api/v1/uploads", b""), 200);
    wait_until(|| list()["total"] == json!(0));
    wait_until(|| course.left() == 0);
}

/// Makes the time of all uploads over, while no service runs.
fn expire_all(site: &Site) {
    const TEXT: &str = "import sqlite3, sys\n\
        store = sqlite3.connect(sys.argv[1])\n\
        store.execute('UPDATE upload SET expires_at = 1')\n\
        store.commit()";
    let store = site.data().join("store.db");
    let status = Command::new("python3").args(["-c", TEXT]).arg(store).status();
    assert!(status.unwrap().success());
}

fn check_course(mut course: Course) {
    check_whole(&course);
    check_parts(&mut course);
    check_given_up(&mut course);
    objects::no_secrets(&course.site.service.log());
}

#[test]
fn uploads_in_a_folder_come_and_go() {
    check_course(Course::in_folder());
}

#[test]
fn uploads_in_object_storage_come_and_go() {
    check_course(Course::in_storage());
}

#[test]
fn an_upload_to_object_storage_takes_a_part_of_memory() {
    const SIZE: usize = 200 << 20;
    const MORE_MIB_MAX: u64 = 64;
    let storage = ObjectStorage::start(&["dbferry"]).unwrap();
    let s3 = "uploads = \"s3://dbferry\"\n";
    let course = Course { site: objects::site(Some(&storage.endpoint()), "", s3), storage: None };
    let small = file(100);
    is_whole(&course.put("small.sql", "", &small), &small);
    let before = peak_mib(course.site.service.id()).unwrap();
    let large = file(SIZE);
    is_whole(&course.put("large.sql", "", &large), &large);
    let after = peak_mib(course.site.service.id()).unwrap();
    assert!(after - before <= MORE_MIB_MAX, "from {before} to {after} MiB");
}
