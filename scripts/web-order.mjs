// Gives the functions of a WebAssembly file names whose order lays similar ones side by side: web-order.mjs FROM TO.
// `wasm-opt --reorder-functions-by-name` then moves them. gzip looks back 32 KiB only, so that it finds what is alike
// in two functions if one follows soon after the other.
import fs from "node:fs";

/** Bytes that count as one piece of code. */
const PIECE = 8;
/** A piece that more functions have says nothing about them. */
const COMMON = 100;
/** Bytes that are looked back. */
const WINDOW = 28000;

const [from, to] = process.argv.slice(2);
const file = fs.readFileSync(from);
let at = 8;
const number = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
        const byte = file[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
    }
};
const bytes = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...bytes(value >>> 7)]);

/** The functions' bodies. */
const bodies = [];
while (at < file.length) {
    const section = file[at++];
    const end = number() + at;
    if (section === 10) {
        for (let left = number(); left > 0; left--) {
            const length = number();
            bodies.push(file.subarray(at, at + length));
            at += length;
        }
    }
    at = end;
}
/** Functions that are imported have the first numbers. */
const imports = WebAssembly.Module.imports(new WebAssembly.Module(file));
const imported = imports.filter(({ kind }) => kind === "function").length;

/** The pieces of each function that some others have too, with the times that the window holds them. */
const having = new Map();
bodies.forEach((body, i) => {
    for (let k = 0; k + PIECE <= body.length; k++) {
        const bits = body.readBigUInt64LE(k);
        const piece = having.get(bits) ?? { functions: [], near: 0 };
        if (piece.functions.at(-1) !== i) piece.functions.push(i);
        having.set(bits, piece);
    }
});
const pieces = bodies.map(() => []);
for (const piece of having.values()) {
    if (piece.functions.length > 1 && piece.functions.length < COMMON) piece.functions.forEach((i) => pieces[i].push(piece));
}

/** The functions in order: next comes the one that has most pieces of the window, for its length. */
const order = [];
const alike = bodies.map(() => 0);
const weight = bodies.map((body) => (body.length + 100) ** -0.7);
const left = new Set(bodies.keys());
let [oldest, length] = [0, 0];
while (left.size > 0) {
    let next;
    for (const i of left) if (next === undefined || alike[i] * weight[i] > alike[next] * weight[next]) next = i;
    left.delete(next);
    order.push(next);
    length += bodies[next].length;
    for (const piece of pieces[next]) if (piece.near++ === 0) piece.functions.forEach((i) => alike[i]++);
    for (; length > WINDOW && oldest < order.length - 1; oldest++) {
        length -= bodies[order[oldest]].length;
        for (const piece of pieces[order[oldest]]) if (--piece.near === 0) piece.functions.forEach((i) => alike[i]--);
    }
}

/** The section of names: those of functions, by number. */
const places = [];
order.forEach((i, place) => (places[i] = place));
const entries = places.flatMap((place, i) => [...bytes(imported + i), 5, ...Buffer.from(String(place).padStart(5, "0"))]);
const names = [...bytes(places.length), ...entries];
const content = [4, ...Buffer.from("name"), 1, ...bytes(names.length), ...names];
fs.writeFileSync(to, Buffer.concat([file, Buffer.from([0, ...bytes(content.length), ...content])]));
