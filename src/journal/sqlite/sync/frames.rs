//! A WAL as SQLite writes it, <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>: a header, then
//! frames of one page each, every one with a checksum over all before it.

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The checksums are over words in the order of the machine that began the file.
const LITTLE_ENDIAN: u32 = 0x377f_0682;
const BIG_ENDIAN: u32 = 0x377f_0683;

/// The header with the first so many frames, if all of them are as they were written.
pub fn whole(wal: &[u8], frames: usize) -> Option<&[u8]> {
    let header = wal.get(..HEADER)?;
    let word = match number(header, 0)? {
        LITTLE_ENDIAN => u32::from_le_bytes,
        BIG_ENDIAN => u32::from_be_bytes,
        _ => return None,
    };
    let page = number(header, 8)? as usize;
    let mut sum = Sum { word, pair: (0, 0) };
    sum.add(&header[..24]);
    if sum.pair != (number(header, 24)?, number(header, 28)?) {
        return None;
    }
    let end = HEADER + frames.checked_mul(FRAME_HEADER + page)?;
    for frame in wal.get(HEADER..end)?.chunks_exact(FRAME_HEADER + page) {
        let is_of_this_wal = frame[8..16] == header[16..24];
        sum.add(&frame[..8]);
        sum.add(&frame[FRAME_HEADER..]);
        if !is_of_this_wal || sum.pair != (number(frame, 16)?, number(frame, 20)?) {
            return None;
        }
    }
    Some(&wal[..end])
}

/// A number at a place, as all are written.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

struct Sum {
    word: fn([u8; 4]) -> u32,
    pair: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<4>();
        for two in words.chunks_exact(2) {
            self.pair.0 = self.pair.0.wrapping_add((self.word)(two[0])).wrapping_add(self.pair.1);
            self.pair.1 = self.pair.1.wrapping_add((self.word)(two[1])).wrapping_add(self.pair.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_wrote_is_whole_and_a_changed_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a);").unwrap();
        connection.execute_batch("INSERT INTO t VALUES (randomblob(9000));").unwrap();
        let mut wal = std::fs::read(dir.path().join("a.db-wal")).unwrap();
        let frames = (wal.len() - HEADER) / (FRAME_HEADER + 4096);
        assert!(frames > 3, "{frames}");
        assert_eq!(whole(&wal, frames), Some(&wal[..]));
        assert_eq!(whole(&wal, 1), Some(&wal[..HEADER + FRAME_HEADER + 4096]));
        assert_eq!(whole(&wal, frames + 1), None, "it is not that long");
        for at in [0, 10, 24, HEADER + 9, HEADER + 17, HEADER + FRAME_HEADER + 4095, wal.len() - 1] {
            wal[at] ^= 1;
            assert_eq!(whole(&wal, frames), None, "byte {at}");
            wal[at] ^= 1;
        }
        assert_eq!(whole(&[], 0), None);
    }
}
