#include "model/head/whitening.h"

#include "model/layers/norm.h"

namespace sightline::model {

Whitening::Whitening(int64_t in, int64_t out)
    : mean_(register_buffer("mean", torch::zeros({in}))),
      projection_(register_buffer("projection", torch::zeros({out, in}))) {}

torch::Tensor Whitening::Forward(const torch::Tensor& x) const { return L2(torch::linear(x - mean_, projection_)); }

}  // namespace sightline::model
