// Kernels over flat tensors take one element at a time: for sizes that four does not divide.
alias Element = f32;
