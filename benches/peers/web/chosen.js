// tfjs at its best for this page: the kernels and gradients that the network needs and no others, and convolutions that
// unroll in a dispatch of their own, which is faster on a software adapter.
import { env, registerGradient, registerKernel } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgpu/dist/base';
import { _fusedMatMulConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/_FusedMatMul';
import { addConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Add';
import { batchMatMulConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/BatchMatMul';
import { castConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Cast';
import { conv2DBackpropFilterConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Conv2DBackpropFilter';
import { conv2DBackpropInputConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Conv2DBackpropInput';
import { expConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Exp';
import { floorConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Floor';
import { fusedBatchNormConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/FusedBatchNorm';
import { fusedConv2DConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/FusedConv2D';
import { identityConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Identity';
import { logConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Log';
import { maxConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Max';
import { maxPoolConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/MaxPool';
import { maxPoolGradConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/MaxPoolGrad';
import { meanConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Mean';
import { multiplyConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Multiply';
import { negConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Neg';
import { oneHotConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/OneHot';
import { realDivConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/RealDiv';
import { reluConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Relu';
import { reshapeConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Reshape';
import { rsqrtConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Rsqrt';
import { squareConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Square';
import { stepConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Step';
import { subConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Sub';
import { sumConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Sum';
import { tileConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Tile';
import { zerosLikeConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/ZerosLike';
import { castGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Cast_grad';
import { fusedBatchNormGradConfig } from '@tensorflow/tfjs-core/dist/gradients/FusedBatchNorm_grad';
import { identityGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Identity_grad';
import { maxPoolGradConfig as maxPoolGradientConfig } from '@tensorflow/tfjs-core/dist/gradients/MaxPool_grad';
import { meanGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Mean_grad';
import { multiplyGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Multiply_grad';
import { divGradConfig } from '@tensorflow/tfjs-core/dist/gradients/RealDiv_grad';
import { reluGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Relu_grad';
import { reshapeGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Reshape_grad';
import { squareGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Square_grad';
import { subGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Sub_grad';
import { sumGradConfig } from '@tensorflow/tfjs-core/dist/gradients/Sum_grad';
import './worker.js';

const kernels = [
  _fusedMatMulConfig, addConfig, batchMatMulConfig, castConfig, conv2DBackpropFilterConfig,
  conv2DBackpropInputConfig, expConfig, floorConfig, fusedBatchNormConfig, fusedConv2DConfig, identityConfig,
  logConfig, maxConfig, maxPoolConfig, maxPoolGradConfig, meanConfig, multiplyConfig, negConfig, oneHotConfig,
  realDivConfig, reluConfig, reshapeConfig, rsqrtConfig, squareConfig, stepConfig, subConfig, sumConfig, tileConfig,
  zerosLikeConfig,
];
const gradients = [
  castGradConfig, divGradConfig, fusedBatchNormGradConfig, identityGradConfig, maxPoolGradientConfig, meanGradConfig,
  multiplyGradConfig, reluGradConfig, reshapeGradConfig, squareGradConfig, subGradConfig,
  sumGradConfig,
];
kernels.forEach(registerKernel);
gradients.forEach(registerGradient);
env().set('WEBGPU_CONV_SEPARATE_IM2COL_SHADER', true);
