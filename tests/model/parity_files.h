// What the tests share that compare networks with the Python references in tests/parity: random weights, files of
// tensors, and the call.
#ifndef SIGHTLINE_TESTS_MODEL_PARITY_FILES_H_
#define SIGHTLINE_TESTS_MODEL_PARITY_FILES_H_

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/weights/load.h"

namespace sightline::model {

using Tensors = std::map<std::string, torch::Tensor>;

// Every kind of tensor away from its identity, so that none can be forgotten unnoticed. From LibTorch's generator.
void Randomise(const std::vector<NamedTensor>& tensors);

// A safetensors file of float32.
void WriteTensors(const std::filesystem::path& path, const Tensors& tensors);

// A folder of its own, removed with what is in it.
class ParityFolder {
 public:
  ParityFolder();
  ~ParityFolder();
  ParityFolder(const ParityFolder&) = delete;
  ParityFolder& operator=(const ParityFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

// Runs tests/parity/`script` over `folder`, which says what differs: its exit status, 77 where a Python package is
// missing.
int RunReference(const std::string& script, const std::filesystem::path& folder);
inline constexpr int kNoTorch = 77;

}  // namespace sightline::model

#endif  // SIGHTLINE_TESTS_MODEL_PARITY_FILES_H_
