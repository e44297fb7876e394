// What inverted lists are made with: one set for all segments of a collection, for good.
#ifndef SIGHTLINE_INDEX_ANN_QUANTIZERS_H_
#define SIGHTLINE_INDEX_ANN_QUANTIZERS_H_

#include <memory>

#include "index/ann/coarse_quantizer.h"
#include "index/ann/product_quantizer.h"

namespace sightline::index {

struct Quantizers {
  std::shared_ptr<const CoarseQuantizer> coarse;    // null while not trained
  std::shared_ptr<const ProductQuantizer> product;  // null where there is memory enough for int8 codes
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_QUANTIZERS_H_
