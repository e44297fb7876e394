// A build without CUDA says so.
#include <gtest/gtest.h>

#include "base/status.h"
#include "index/gpu/card.h"
#include "index/gpu/list_device.h"
#include "index/gpu/row_device.h"
#include "index/rerank/card_transport.h"

namespace sightline::index::gpu {
namespace {

TEST(NoCardTest, ABuildWithoutCudaRefuses) {
  for (const absl::Status& refused : {OpenCard({}).status(), OpenRows(nullptr).status(), OpenLists(nullptr).status(),
                                      rerank::OpenCardTransport(nullptr).status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(base::GetErrorInfo(refused).reason, "NO_CUDA_BUILD");
  }
}

}  // namespace
}  // namespace sightline::index::gpu
