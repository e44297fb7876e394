// The peer of `sightline-bench embed`: PyTorch eager in a Python process of its own (embed_reference.py).
//
// Threading: one thread. Ownership: the process ends with the object. Failure: Status; UNAVAILABLE without
// python3-torch.
#ifndef SIGHTLINE_TESTS_BENCH_EMBED_PEER_H_
#define SIGHTLINE_TESTS_BENCH_EMBED_PEER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/python_peer.h"

namespace sightline::bench {

class EagerPeer {
 public:
  struct Loaded {
    std::vector<float> descriptors;  // L2-normalised, one after the other
    double gflop = 0;                // of one forward pass
    std::string layout;              // the faster one for this network
  };

  // `device` is LibTorch's name of a card, on which it computes in bfloat16; empty for the CPU.
  static absl::StatusOr<std::unique_ptr<EagerPeer>> Start(int threads, const std::string& device = "");

  // Reads a model directory and a file of float32 images of `shape` (B, 3, H, W), tries its layouts and warms up.
  absl::StatusOr<Loaded> Load(const std::string& folder, const std::string& images, const std::vector<int64_t>& shape);

  // Milliseconds of one forward pass over the images loaded last.
  absl::StatusOr<double> Run();

  // "PyTorch 1.13.0 eager, AVX512"
  const std::string& name() const { return name_; }

 private:
  explicit EagerPeer(std::unique_ptr<PythonPeer> process) : process_(std::move(process)) {}

  const std::unique_ptr<PythonPeer> process_;
  std::string name_;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_EMBED_PEER_H_
