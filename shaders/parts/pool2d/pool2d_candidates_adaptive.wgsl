//! fills candidates
//
// Windows of pool2d_adaptive that may cover an element, the last first.
const CANDIDATES_H: u32 = u32(COVERS_H);
const CANDIDATES_W: u32 = u32(COVERS_W);

fn candidate_row(y: i32, k: i32) -> Cover {
    return cover_row(y, k);
}

fn candidate_column(x: i32, k: i32) -> Cover {
    return cover_column(x, k);
}
