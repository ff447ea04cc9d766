//! Makes JavaScript and WebAssembly for a page of what cargo built: `wgrad-web-bindgen FILE FOLDER`, with
//! `--without-names` if nobody reads the functions' names. A package beside the page's own, so that one lock file holds
//! both to one version of wasm-bindgen.

use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let (options, paths): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let [file, folder] = &paths[..] else {
        anyhow::bail!("usage: wgrad-web-bindgen [--without-names] FILE FOLDER")
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(file).typescript(false).omit_default_module_path(false);
    bindgen.remove_name_section(options == ["--without-names"]);
    bindgen.web(true)?.generate(folder)
}
