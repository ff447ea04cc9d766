//! uses channel_window, line_plain, power_of
//! fills made
//
// gradient / scale^BETA - 2 * RATE * BETA * source * sum of gradient * source / scale^(BETA + 1) over the
// channels in whose windows an element lies: from UPPER below to LOWER above its own. Lines are the sum's terms as
// local_response_norm_terms made them, so that each power is found once. scales is as local_response_norm keeps it.
@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read> gradient: array<Element>;
@group(0) @binding(2) var<storage, read> scales: array<Element>;

fn made(i: u32) -> Element {
    let own = gradient[i] * power_of(scales[i], -BETA);
    return own - (2.0 * RATE * BETA) * source[i] * channels_sum(i, UPPER, LOWER);
}
