// Of builds without CUDA.
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "index/gpu/card.h"
#include "index/gpu/list_device.h"
#include "index/gpu/row_device.h"
#include "index/rerank/card_transport.h"

namespace sightline::index {
namespace {

absl::Status NoCuda(absl::string_view what) {
  return base::Error(absl::StatusCode::kUnimplemented, "NO_CUDA_BUILD",
                     absl::StrCat("this build has no CUDA. Use a build that has, or leave ", what, " on the CPU."));
}

}  // namespace

absl::StatusOr<std::shared_ptr<gpu::Card>> gpu::OpenCard(const CardOptions& /*options*/) {
  return NoCuda("index and re-ranking");
}

absl::StatusOr<std::shared_ptr<gpu::RowDevice>> gpu::OpenRows(std::shared_ptr<Card> /*card*/,
                                                              const RowDeviceOptions& /*options*/) {
  return NoCuda("the index");
}

absl::StatusOr<std::shared_ptr<gpu::ListDevice>> gpu::OpenLists(std::shared_ptr<Card> /*card*/,
                                                                const ListDeviceOptions& /*options*/) {
  return NoCuda("inverted lists");
}

absl::StatusOr<std::unique_ptr<rerank::TransportDevice>> rerank::OpenCardTransport(
    std::shared_ptr<gpu::Card> /*card*/, const CardTransportOptions& /*options*/) {
  return NoCuda("re-ranking");
}

}  // namespace sightline::index
