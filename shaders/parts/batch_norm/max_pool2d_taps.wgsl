// Which tap won in each window of batch_norm_max_pool2d: a byte a window, 0 to 3 row by row, four
// windows a word, the first lowest; each plane of OUT_H x OUT_W windows starts a word.
const OUT_H: u32 = 4u; // shape
const OUT_W: u32 = 4u; // shape

const WINDOWS: u32 = OUT_H * OUT_W;
const WORDS: u32 = (WINDOWS + 3u) / 4u;
