// The peers of `sightline-bench rerank`: PyTorch in a Python process of its own (rerank_reference.py).
//
// Threading: one thread. Ownership: the process ends with the object. Failure: Status; UNAVAILABLE without
// python3-torch.
#ifndef SIGHTLINE_TESTS_BENCH_RERANK_PEER_H_
#define SIGHTLINE_TESTS_BENCH_RERANK_PEER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/record.h"
#include "tests/bench/python_peer.h"

namespace sightline::bench {

class TransportPeer {
 public:
  struct Outcome {
    double milliseconds = 0;
    int rounds = 0;
    std::vector<double> scores;  // S_struct of every result
  };

  static absl::StatusOr<std::unique_ptr<TransportPeer>> Start(int threads);

  // Gives it the tokens, through files in `folder`; it tries how many threads serve it best.
  absl::Status Load(const std::string& folder, const index::PatchTokens& query,
                    absl::Span<const index::PatchTokens> results, double mass);

  // `method` is "reference" or "batched"; 0 rounds: by the reference's own rule.
  absl::StatusOr<Outcome> Run(const std::string& method, int rounds);

  // "reference code, PyTorch 1.13.0 AVX512, 2 threads"
  std::string Name(const std::string& method) const;

 private:
  explicit TransportPeer(std::unique_ptr<PythonPeer> process) : process_(std::move(process)) {}

  const std::unique_ptr<PythonPeer> process_;
  nlohmann::json methods_;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_RERANK_PEER_H_
