#include "server/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

class ManualClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + absl::FromChrono(now.time_since_epoch()); }
  Ticks Steady() const override { return now; }
  Ticks now{};
};

TEST(RequestTest, EndsAtItsDeadline) {
  ManualClock clock;
  Request request(clock, clock.now + std::chrono::milliseconds(10));
  EXPECT_TRUE(request.Check().ok());
  clock.now += std::chrono::milliseconds(10);
  EXPECT_EQ(request.Check().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(RequestTest, AnItemEndsWithItsStreamAndNeverLater) {
  ManualClock clock;
  const auto stream = std::make_shared<Request>(clock, clock.now + std::chrono::milliseconds(10));
  const RequestPtr late = Request::Within(stream, clock.now + std::chrono::hours(1));
  EXPECT_EQ(late->deadline(), stream->deadline());
  const RequestPtr early = Request::Within(stream, clock.now + std::chrono::milliseconds(5));
  stream->Cancel();
  EXPECT_EQ(early->Check().code(), absl::StatusCode::kCancelled);
}

TEST(RequestTest, TimersAddStagesToTheItemAndItsStream) {
  ManualClock clock;
  const auto stream = std::make_shared<Request>(clock, clock.now + std::chrono::hours(1));
  const RequestPtr item = Request::Within(stream, stream->deadline());
  {
    StageTimer timer(*item, "search");
    clock.now += std::chrono::milliseconds(3);
  }
  EXPECT_THAT(item->stages(), ElementsAre(Field(&Stage::milliseconds, 3.0)));
  EXPECT_THAT(stream->stages(), ElementsAre(Field(&Stage::milliseconds, 3.0)));
}

}  // namespace
}  // namespace sightline::server
