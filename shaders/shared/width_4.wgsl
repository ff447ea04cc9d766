// Kernels over flat tensors take four elements at a time: for sizes that four divides.
alias Element = vec4<f32>;
