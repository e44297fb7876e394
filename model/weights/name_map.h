// From the tensor names of public checkpoints to those of a model: each published family of names is a table of
// patterns. The table and the prefix ("module.", "model.", ...) that fit the most tensors of the model are taken, so
// nobody has to know where a file comes from.
//
// Threading: pure functions. Ownership: values; `source` counts the tensors given. Failure: none; what does not fit is
// in the findings.
//
//   const NameMapping mapping = MapNames(checkpoint->tensors(), model_tensors, "gem");
//   for (const MappedTensor& tensor : mapping.tensors) Copy(checkpoint->tensors()[tensor.source], tensor.target);
#ifndef SIGHTLINE_MODEL_WEIGHTS_NAME_MAP_H_
#define SIGHTLINE_MODEL_WEIGHTS_NAME_MAP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/weights/safetensors.h"

namespace sightline::weights {

// A tensor that the model has.
struct TensorShape {
  std::string name;
  std::vector<int64_t> shape;
};

struct MappedTensor {
  size_t source = 0;
  std::string target;
};

enum class Finding {
  kMissing,     // the model needs it, the file has nothing for it
  kUnexpected,  // the file has it, nothing of the model is called so
  kMisshaped,   // of another shape than the model's
  kIgnored,     // known to be of no use here: a classifier, what training counts, tables made again
};

struct FoundTensor {
  Finding what = Finding::kMissing;
  std::string name;                  // the file's; of a missing one the model's
  std::vector<int64_t> file_shape;   // not of a missing one
  std::vector<int64_t> model_shape;  // of a missing and a misshaped one
  std::string target;                // the model's name of a misshaped one
  std::string reason;                // of an ignored one, in words
};

struct NameMapping {
  std::string family;                 // "cirtorch" and so on
  std::string prefix;                 // in front of the file's names
  std::vector<MappedTensor> tensors;  // each target once
  std::vector<FoundTensor> findings;
};

// `head` is the type of the model's head, which its tensors' names begin with.
NameMapping MapNames(absl::Span<const TensorView> file, absl::Span<const TensorShape> model, absl::string_view head);

// Whether two shapes are the same but for sides of length 1: a 1x1 convolution and a linear map are.
bool SameButForOnes(absl::Span<const int64_t> a, absl::Span<const int64_t> b);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_NAME_MAP_H_
