// In which numbers a network computes.
#ifndef SIGHTLINE_MODEL_NUMERIC_H_
#define SIGHTLINE_MODEL_NUMERIC_H_

namespace sightline::model {

enum class Numeric {
  kFp32,
  kInt8,  // products of linear maps and convolutions in integers; everything else in fp32; on a CPU
  kBf16,  // linear maps, convolutions and attention in bfloat16; norms and the rest in fp32; on a card
  kFp16,  // the same in half precision
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_NUMERIC_H_
