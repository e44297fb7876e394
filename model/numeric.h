// In which numbers a network computes.
#ifndef SIGHTLINE_MODEL_NUMERIC_H_
#define SIGHTLINE_MODEL_NUMERIC_H_

namespace sightline::model {

enum class Numeric {
  kFp32,
  kInt8,  // products of linear maps and convolutions in integers; everything else in fp32
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_NUMERIC_H_
