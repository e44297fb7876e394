// Activations that follow a linear map or a convolution, so that a prepared layer can fuse them.
#ifndef SIGHTLINE_MODEL_ENGINE_ACTIVATION_H_
#define SIGHTLINE_MODEL_ENGINE_ACTIVATION_H_

namespace sightline::model {

enum class Activation {
  kNone,
  kRelu,
  kRelu6,
  kGelu,       // exact, by erf
  kQuickGelu,  // x sigmoid(1.702 x)
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_ENGINE_ACTIVATION_H_
