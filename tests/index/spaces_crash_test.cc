// A crash at any step of filling, swapping and dropping another space leaves one collection, the old one or the new
// one.
//
// In a program of its own, whose own process passes no kill point: the environment is read at the first one.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "tests/index/spaces_fixture.h"

namespace sightline::index {
namespace {

// As a process of its own, which dies at a kill point when one is named. Returns its exit code, or minus the signal.
int InChild(const std::string& kill_point, const std::function<bool()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!kill_point.empty()) {
      ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
      ::setenv("SIGHTLINE_KILL_POINT", kill_point.c_str(), 1);
    }
    const bool well = work();
    std::fflush(stdout);
    ::_exit(well ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

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
    const int died = InChild(step.point, [&] {
      Start();
      Fill();
      const absl::Status swapped = SwapAll();
      collection_.reset();
      return swapped.ok() && database_->DropOtherSpace("shop").ok();
    });
    EXPECT_EQ(died, -SIGKILL) << "the point was not passed";
    const int well = InChild("", [&] {
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
