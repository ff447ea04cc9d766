//! uses team, beyond
//
// Of a team's finds, each an element and its place, the place of the one that comes before the others (beyond); of
// equals the first. A fixed tree.
var<workgroup> team_places: array<u32, 64>;

// What the first invocation of a team gets is the team's.
fn team_best(own: f32, own_place: u32, lane: u32) -> u32 {
    var found = own;
    var best = own_place;
    if (TEAM > 1u) {
        team_values[lane] = found;
        team_places[lane] = best;
        for (var width = TEAM / 2u; width > 0u; width /= 2u) {
            workgroupBarrier();
            if (lane % TEAM < width) {
                let other = team_values[lane + width];
                let place = team_places[lane + width];
                let equal = !beyond(found, other) && !beyond(other, found);
                if (beyond(other, found) || (equal && place < best)) {
                    found = other;
                    best = place;
                    team_values[lane] = found;
                    team_places[lane] = best;
                }
            }
        }
    }
    return best;
}
