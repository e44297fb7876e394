#include "base/kill_point.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/support/temp_folder.h"

namespace sightline::base {
namespace {

// Passes "a" and "b" in turn, `times` each, and ends in an orderly way unless a point has killed the process.
void PassThem(int times) {
  for (int i = 0; i < times; ++i) {
    SIGHTLINE_KILL_POINT("test.a");
    SIGHTLINE_KILL_POINT("test.b");
  }
  std::_Exit(0);
}

class KillPointDeathTest : public ::testing::Test {
 protected:
  // The environment is read once per process: each statement runs in a new one.
  KillPointDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
  ~KillPointDeathTest() override {
    for (const char* name : {"SIGHTLINE_ALLOW_KILL_POINTS", "SIGHTLINE_KILL_POINT", "SIGHTLINE_KILL_ODDS",
                             "SIGHTLINE_KILL_SEED", "SIGHTLINE_KILL_POINT_LIST"}) {
      ::unsetenv(name);
    }
  }
};

const ::testing::ExitedWithCode kOrderly(0);
const ::testing::KilledBySignal kKilled(SIGKILL);

TEST_F(KillPointDeathTest, NothingHappensUnlessAllowed) {
  ::setenv("SIGHTLINE_KILL_POINT", "test.a", 1);
  ::setenv("SIGHTLINE_KILL_ODDS", "1", 1);
  EXPECT_EXIT(PassThem(3), kOrderly, "");
  ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "0", 1);
  EXPECT_EXIT(PassThem(3), kOrderly, "");
}

TEST_F(KillPointDeathTest, DiesAtTheNthPassingOfTheNamedPoint) {
  ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
  ::setenv("SIGHTLINE_KILL_POINT", "test.b", 1);
  EXPECT_EXIT(PassThem(1), kKilled, "");
  ::setenv("SIGHTLINE_KILL_POINT", "test.b:3", 1);
  EXPECT_EXIT(PassThem(2), kOrderly, "");
  EXPECT_EXIT(PassThem(3), kKilled, "");
  ::setenv("SIGHTLINE_KILL_POINT", "test.c", 1);
  EXPECT_EXIT(PassThem(3), kOrderly, "");
}

TEST_F(KillPointDeathTest, DiesByOdds) {
  ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
  ::setenv("SIGHTLINE_KILL_ODDS", "100", 1);
  ::setenv("SIGHTLINE_KILL_SEED", "7", 1);
  EXPECT_EXIT(PassThem(10'000), kKilled, "");
  EXPECT_EXIT(PassThem(1), kOrderly, "");
}

TEST_F(KillPointDeathTest, ListsTheNamesPassedEvenWhenItDies) {
  sightline::testing::TempFolder folder;
  const std::string list = folder.Path("points");
  ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
  ::setenv("SIGHTLINE_KILL_POINT", "test.b:2", 1);
  // The statement runs in a process that comes here anew, with a folder of its own.
  const auto pass = [&] {
    ::setenv("SIGHTLINE_KILL_POINT_LIST", list.c_str(), 1);
    for (int i = 0; i < 2; ++i) {
      SIGHTLINE_KILL_POINT("test.a");
      if (i == 1) {
        std::ifstream lines(list);
        std::string all((std::istreambuf_iterator<char>(lines)), std::istreambuf_iterator<char>());
        if (all != "test.a\ntest.b\n") std::_Exit(1);
      }
      SIGHTLINE_KILL_POINT("test.b");
    }
  };
  EXPECT_EXIT(pass(), kKilled, "");
}

TEST_F(KillPointDeathTest, RefusesWhatItCannotUnderstand) {
  ::setenv("SIGHTLINE_ALLOW_KILL_POINTS", "1", 1);
  ::setenv("SIGHTLINE_KILL_POINT", "test.a:none", 1);
  EXPECT_EXIT(PassThem(1), ::testing::ExitedWithCode(1), "SIGHTLINE_KILL_POINT=none cannot be understood");
  ::setenv("SIGHTLINE_KILL_POINT", "test.a:0", 1);
  EXPECT_EXIT(PassThem(1), ::testing::ExitedWithCode(1), "cannot be understood");
}

}  // namespace
}  // namespace sightline::base
