// A crash at any step of filling, swapping and dropping another space leaves one collection, the old one or the new
// one.
// In a program of its own: see run_apart.h.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/index/run_apart.h"
#include "tests/index/spaces_fixture.h"

namespace sightline::index {
namespace {

using SpacesCrashTest = SpacesFixture;

TEST_F(SpacesCrashTest, AtAnyStepItLeavesOneOrTheOther) {
  struct Step {
    const char* point;
    const char* space;  // of the collection afterwards
    bool other;         // whether there is another one then
  };
  for (const Step& step :
       {Step{"space.named", "space", false}, Step{"space.moved", "space", true},
        Step{"space.before_swap", "space", true}, Step{"space.after_swap", "new-space", true},
        Step{"space.before_drop", "new-space", true}, Step{"space.after_drop", "new-space", false}}) {
    SCOPED_TRACE(step.point);
    std::filesystem::remove_all(options_.directory);
    const int died = RunApart(step.point, [&] {
      Start();
      Fill();
      const absl::Status swapped = SwapAll();
      collection_.reset();
      return swapped.ok() && database_->DropOtherSpace("shop").ok();
    });
    EXPECT_EQ(died, -SIGKILL) << "the point was not passed";
    const int well = RunApart("", [&] {
      Open();
      const auto found = database_->Find("shop");
      if (!found.ok() || database_->List().size() != 1 || !database_->damaged().empty()) {
        std::printf("not one collection: %s\n", found.status().ToString().c_str());
        return false;
      }
      collection_ = *found;
      const std::string space = collection_->config().embedding_space;
      const int dim = collection_->config().descriptor_dim;
      const bool other = database_->FindOtherSpace("shop").has_value();
      const bool whole = collection_->Stats().images == kImages && Search(DescriptorOf(3, dim), 1)[0].id == IdOf(3);
      std::printf("%s: %s, %s\n", step.point, space.c_str(), other ? "another" : "no other");
      if (space != step.space || other != step.other || !whole) return false;
      // And it goes on from there.
      if (space == "space") return SwapAll().ok();
      return !other || database_->DropOtherSpace("shop").ok();
    });
    EXPECT_EQ(well, 0);
  }
}

}  // namespace
}  // namespace sightline::index
