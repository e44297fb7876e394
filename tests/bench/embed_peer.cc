#include "tests/bench/embed_peer.h"

#include "absl/strings/str_cat.h"

namespace sightline::bench {

absl::StatusOr<std::unique_ptr<EagerPeer>> EagerPeer::Start(int threads, const std::string& device) {
  auto process = PythonPeer::Start(SIGHTLINE_EMBED_REFERENCE, threads, device);
  if (!process.ok()) return process.status();
  std::unique_ptr<EagerPeer> peer(new EagerPeer(*std::move(process)));
  const nlohmann::json& hello = peer->process_->hello();
  peer->name_ = absl::StrCat("PyTorch ", hello.value("torch", ""), " eager, ", hello.value("capability", ""));
  return peer;
}

absl::StatusOr<EagerPeer::Loaded> EagerPeer::Load(const std::string& folder, const std::string& images,
                                                  const std::vector<int64_t>& shape) {
  const absl::StatusOr<nlohmann::json> answer = process_->Ask({{"load", folder}, {"images", images}, {"shape", shape}});
  if (!answer.ok()) return answer.status();
  Loaded loaded;
  loaded.descriptors = answer->value("descriptors", std::vector<float>());
  loaded.gflop = answer->value("gflop", 0.0);
  loaded.layout = answer->value("layout", "");
  return loaded;
}

absl::StatusOr<double> EagerPeer::Run() {
  const absl::StatusOr<nlohmann::json> answer = process_->Ask({{"run", 1}});
  if (!answer.ok()) return answer.status();
  const std::vector<double> took = answer->value("milliseconds", std::vector<double>());
  if (took.empty()) return absl::InternalError("the peer did not say how long it took.");
  return took.front();
}

}  // namespace sightline::bench
