// R-MAC: maxima over a grid of regions of several sizes (METHODS 4.4).
//
//   v = L2+(max of the map) + sum over regions of L2+(max of the region),  L2+(x) = x / (|x| + 1e-6)
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_HEAD_RMAC_H_
#define SIGHTLINE_MODEL_HEAD_RMAC_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace sightline::model {

// A square of a map, in cells.
struct Region {
  int64_t top = 0;
  int64_t left = 0;
  int64_t side = 0;
  friend bool operator==(const Region&, const Region&) = default;
};

// The regions of sizes 1 to `levels`, without the whole map, the largest first and row by row.
std::vector<Region> RmacRegions(int64_t height, int64_t width, int levels);

// (B, C, h, w) -> (B, C)
torch::Tensor RmacPool(const torch::Tensor& map, int levels);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_RMAC_H_
