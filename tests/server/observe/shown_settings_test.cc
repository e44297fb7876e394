#include "server/observe/shown_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(ShownSettingsTest, AReloadTakesOverWhatIsInForceThenAndNothingElse) {
  ShownSettings shown({{"log_level", "debug"}, {"max_batch", "16"}, {"models", "a"}});
  shown.Reload({{"drain_grace", "5s"}, {"max_batch", "32"}, {"max_queue", "9"}, {"models", "b"}});
  EXPECT_THAT(shown.Get(), ElementsAre(Pair("drain_grace", "5s"), Pair("max_batch", "16"), Pair("models", "b")));
}

}  // namespace
}  // namespace sightline::server
