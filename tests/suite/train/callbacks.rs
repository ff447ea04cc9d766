//! What callbacks write.

use super::{Rows, trainer};
use tempfile::TempDir;
use wgrad::data::Grid;
use wgrad::optim::Preferred;
use wgrad::train::{BestWeights, Lines, TensorBoard};
use wgrad::{HostTensor, Result};

/// One record of an event file: checks its frame and returns its message. The checksum is CRC-32C by a table.
fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let table: Vec<u32> = (0..256u32)
        .map(|i| (0..8).fold(i, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }))
        .collect();
    let masked = |bytes: &[u8]| {
        let crc = !bytes.iter().fold(!0u32, |crc, &byte| table[(crc as u8 ^ byte) as usize] ^ crc >> 8);
        crc.rotate_right(15).wrapping_add(0xa282_ead8)
    };
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let mut found = Vec::new();
    while !file.is_empty() {
        let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
        assert_eq!(number(&file[8..12]), masked(&file[..8]));
        assert_eq!(number(&file[12 + length..16 + length]), masked(&file[12..12 + length]));
        found.push(file[12..12 + length].to_vec());
        file = &file[16 + length..];
    }
    found
}

fn holds(record: &[u8], text: &str) -> bool {
    record.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn an_event_file_has_losses_figures_and_histograms() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let board = folder.path().join("runs").join("first");
    let mut trainer = trainer().callback(TensorBoard::new(&board).histograms(true));
    trainer.fit(&Rows::new(61), Some(&Rows::new(20)))?;
    let files: Vec<_> = std::fs::read_dir(&board).expect("there is a folder").collect();
    assert_eq!(files.len(), 1);
    let path = files[0].as_ref().expect("it can be read").path();
    assert!(path.to_string_lossy().contains("events.out.tfevents."), "{path:?}");
    let records = records(&std::fs::read(&path).expect("there is a file"));
    assert!(holds(&records[0], "brain.Event:2"));
    let count = |text: &str| records.iter().filter(|record| holds(record, text)).count();
    assert_eq!((count("step/loss"), count("epoch/accuracy"), count("fc.weight")), (24, 3, 3));
    Ok(())
}

#[test]
fn a_grid_of_images_goes_into_an_event_file() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let mut grid = Grid::new(3);
    grid.push(&HostTensor::filled([3, 1, 5, 7], 0.5)?)?;
    let png = grid.png()?;
    let mut board = TensorBoard::new(folder.path());
    board.image("augmented", 4, &png)?;
    let path = std::fs::read_dir(folder.path()).expect("there is a folder").next().expect("there is a file");
    let records = records(&std::fs::read(path.expect("it can be read").path()).expect("it can be read"));
    // Height 9, width 29, RGB, and the file as field 4.
    let head =
        [&[8, 9, 16, 29, 24, 3, 34][..], &[0x80 | (png.len() & 127) as u8, (png.len() >> 7) as u8], &png];
    let head = head.concat();
    assert!(png.len() > 127 && records[1].windows(head.len()).any(|part| part == head), "{:?}", records[1]);
    for bytes in [&png[..20], b"", b"GIF89a, and more than enough bytes"] {
        let error = board.image("augmented", 4, bytes).expect_err("it is no PNG").to_string();
        assert!(error.contains("augmented") && error.contains("no PNG"), "{error}");
    }
    Ok(())
}

#[test]
fn the_best_weights_are_those_of_the_best_epoch() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("best.safetensors");
    let mut trainer = trainer().epochs(4).callback(BestWeights::new(&file, "loss", Preferred::Smaller));
    let history = trainer.fit(&Rows::new(61), Some(&Rows::new(20)))?;
    let losses: Vec<f64> = history.epochs.iter().filter_map(|epoch| epoch.figure("loss")).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let mut again = super::trainer().load(&file);
    assert_eq!(again.evaluate(&Rows::new(20))?.loss, best, "{losses:?}");
    Ok(())
}

#[test]
fn a_line_tells_of_each_epoch() -> Result<()> {
    let (reader, writer) = std::io::pipe().expect("the system has pipes");
    let mut trainer = trainer().max_steps(10).callback(Lines::to(writer));
    trainer.fit(&Rows::new(61), Some(&Rows::new(20)))?;
    drop(trainer);
    let text = std::io::read_to_string(reader).expect("it is text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("epoch 1/3: mean training loss "), "{text}");
    assert_eq!(lines[2], "stopped: after 10 steps, as was asked");
    assert!(lines[1].contains("; loss ") && lines[1].contains(", accuracy "), "{text}");
    Ok(())
}
