// What follows a linear map or a convolution in the same pass.
#ifndef SIGHTLINE_MODEL_ENGINE_EPILOGUE_H_
#define SIGHTLINE_MODEL_ENGINE_EPILOGUE_H_

#include "model/engine/activation.h"

namespace sightline::model::engine {

struct Epilogue {
  Activation activation = Activation::kNone;
  bool add = false;  // sums what the destination holds, before the activation
  bool operator==(const Epilogue&) const = default;
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_EPILOGUE_H_
