// tfjs as its guide imports it: every kernel and gradient.
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-webgpu';
import './worker.js';
