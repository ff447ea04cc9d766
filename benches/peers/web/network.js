// The network of examples/web, by tfjs: the same layers and optimizer, parameters under the same names. Images are NHWC
// and filters HWIO, as tfjs has them.
import * as tf from '@tensorflow/tfjs-core';

export const SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10;
const EPSILON = 1e-5, MOMENTUM = 0.1;

// Name, shape, and how many inputs a result has.
const LAYERS = [
  ['conv1', [3, 3, 1, 8], 9],
  ['conv2', [5, 5, 8, 32], 200],
  ['fc1', [1568, 600], 1568],
  ['fc2', [600, CLASSES], 600],
];

export class Network {
  // Begins from these weights (tfjs's layouts, by PyTorch's names), or draws them as PyTorch does.
  constructor({ dropout, rate, seed }, weights) {
    this.dropout = dropout;
    this.optimizer = tf.train.momentum(rate, 0.9);
    this.variables = {};
    const variable = (name, shape, initial, trainable = true) => tf.tidy(() => {
      const value = weights ? tf.tensor(weights[name], shape) : initial();
      this.variables[name] = tf.variable(value, trainable);
    });
    LAYERS.forEach(([name, shape, inputs], i) => {
      const bound = 1 / Math.sqrt(inputs), results = shape.slice(-1);
      variable(`${name}.weight`, shape, () => tf.randomUniform(shape, -bound, bound, 'float32', seed + 2 * i));
      variable(`${name}.bias`, results, () => tf.randomUniform(results, -bound, bound, 'float32', seed + 2 * i + 1));
    });
    [['bn1', [8]], ['bn2', [32]]].forEach(([name, shape]) => {
      variable(`${name}.weight`, shape, () => tf.ones(shape));
      variable(`${name}.bias`, shape, () => tf.zeros(shape));
      variable(`${name}.running_mean`, shape, () => tf.zeros(shape), false);
      variable(`${name}.running_var`, shape, () => tf.ones(shape), false);
    });
    this.trained = Object.values(this.variables).filter((variable) => variable.trainable);
  }

  dispose() {
    for (const variable of Object.values(this.variables)) variable.dispose();
    this.optimizer.dispose();
  }

  // Convolution, batch norm by the batch's statistics, ReLU, the largest of 2 x 2.
  part(x, number) {
    const { [`conv${number}.weight`]: filter, [`conv${number}.bias`]: bias } = this.variables;
    const { [`bn${number}.weight`]: scale, [`bn${number}.bias`]: offset } = this.variables;
    const y = tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias });
    const { mean, variance } = tf.moments(y, [0, 1, 2]);
    const count = y.size / mean.size;
    this.follow(`bn${number}.running_mean`, mean);
    this.follow(`bn${number}.running_var`, tf.mul(variance, count / (count - 1)));
    return tf.maxPool(tf.relu(tf.batchNorm(y, mean, variance, offset, scale, EPSILON)), 2, 2, 'valid');
  }

  follow(name, value) {
    const running = this.variables[name];
    running.assign(tf.add(tf.mul(running, 1 - MOMENTUM), tf.mul(value, MOMENTUM)));
  }

  // The loss of a step over these images (floats from 0 to 1) and labels, a tensor of its own.
  step(images, labels) {
    const { 'fc1.weight': fc1, 'fc1.bias': bias1, 'fc2.weight': fc2, 'fc2.bias': bias2 } = this.variables;
    return tf.tidy(() => {
      const x = tf.tensor4d(images, [labels.length, SIDE, SIDE, 1]);
      const target = tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES);
      return this.optimizer.minimize(() => {
        const flat = tf.reshape(this.part(this.part(x, 1), 2), [labels.length, -1]);
        const hidden = tf.relu(tf.fused.matMul({ a: flat, b: fc1, bias: bias1 }));
        const kept = this.dropout > 0 ? tf.dropout(hidden, this.dropout) : hidden;
        return tf.losses.softmaxCrossEntropy(target, tf.fused.matMul({ a: kept, b: fc2, bias: bias2 }));
      }, true, this.trained);
    });
  }
}
