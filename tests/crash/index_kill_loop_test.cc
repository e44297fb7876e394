// The kill loop: a child process writes the script and reports each acknowledgement through a pipe; it is killed at a
// random moment, or kills itself at a kill point; then the parent opens the data and compares with the script.
//
// Writes are queued in order, so acknowledgements come in order, and what is there after a kill must be what the first
// so many writes make, at least as many as were acknowledged. The next child sends everything from the first
// unacknowledged write again, with the same request ids: a write that had reached the disk unacknowledged must not be
// done twice, which the revisions show.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "index/validate.h"
#include "tests/crash/child.h"
#include "tests/crash/script.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

extern char** environ;

namespace sightline::index {
namespace {

using std::chrono::milliseconds;

// Kills in CI; a sanitizer's build, several times slower, does a share.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kDefaultCycles = 20;
#else
constexpr int kDefaultCycles = 200;
#endif
// Then the data are made anew: creation is killed as well, and comparing stays quick.
constexpr int kCyclesOfOneFolder = 20;

constexpr int kChildPipe = 100;
constexpr milliseconds kMostToOpen{60'000};
constexpr int64_t kForEver = std::numeric_limits<int64_t>::max();

// How a child is to end.
struct Plan {
  std::vector<std::string> environment;  // arms kill points
  milliseconds delay{0};                 // after which it is killed
  bool while_opening = false;            // the delay begins at its start, not when it has opened the data
  int64_t writes = kForEver;             // it stops by itself after these
};

class KillLoop {
 public:
  explicit KillLoop(unsigned seed) : random_(seed) {}

  // Starts a child, sees to its end, and takes down what it acknowledged. Whether it was killed.
  bool Cycle(const Plan& plan) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const std::string first = absl::StrCat(acknowledged_);
    const std::string end = absl::StrCat(plan.writes == kForEver ? kForEver : acknowledged_ + plan.writes);
    const std::string descriptor = absl::StrCat(kChildPipe);
    const std::vector<const char*> arguments = {"/proc/self/exe", "--child",          data_.c_str(), first.c_str(),
                                                end.c_str(),      descriptor.c_str(), nullptr};
    std::vector<const char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
    for (const std::string& variable : plan.environment) environment.push_back(variable.c_str());
    environment.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kChildPipe);
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, const_cast<char**>(arguments.data()),
                            const_cast<char**>(environment.data())),
              0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    killed_by_us_ = false;
    Collect(ends[0], child, plan);
    ::close(ends[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(killed || (plan.writes != kForEver && WIFEXITED(status) && WEXITSTATUS(status) == 0))
        << "the child ended by itself, status " << status;
    return killed;
  }

  // Opens the data and compares: what is around the end, and `sample` others.
  void Verify(int sample) {
    auto database = OpenForKills(data_);
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->damaged().empty()) << (*database)->damaged()[0].status;
    const auto collection = FindOrCreate(**database, kScriptCollection);
    ASSERT_TRUE(collection.ok()) << collection.status();
    const int64_t writes = FindEnd(**collection);
    if (::testing::Test::HasFailure()) return;
    for (int64_t n = std::max<int64_t>(0, writes - 300); n < acknowledged_ + 2 * kWindow; ++n) {
      Check(**collection, writes, OwnerOf(n));
    }
    for (int i = 0; i < sample && acknowledged_ > 0; ++i) {
      Check(**collection, writes, OwnerOf(static_cast<int64_t>(random_() % static_cast<uint64_t>(acknowledged_))));
    }
    CheckCount(**collection, writes);
    CheckOthers(**database);
    CheckSnapshots(**database);
  }

  // Begins with empty data.
  void Renew() {
    std::filesystem::remove_all(data_);
    data_ = folder_.Path(absl::StrCat("data", ++renewed_));
    acknowledged_ = 0;
    others_.clear();
  }

  // The points passed so far.
  std::vector<std::string> Points() const {
    std::ifstream file(points_);
    std::set<std::string> names;
    for (std::string line; std::getline(file, line);) names.insert(line);
    return {names.begin(), names.end()};
  }

  std::string ListPoints() const { return absl::StrCat("SIGHTLINE_KILL_POINT_LIST=", points_); }
  int64_t acknowledged() const { return acknowledged_; }
  bool killed_by_us() const { return killed_by_us_; }
  int64_t searches() const { return searches_; }
  int64_t missed() const { return missed_; }

 private:
  enum class Other { kMade, kDeleting, kDeleted };

  // Reads reports until the child has ended; kills it when its time has come.
  void Collect(int pipe, pid_t child, const Plan& plan) {
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + (plan.while_opening ? plan.delay : kMostToOpen);
    std::string buffer;
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
      if (!killed_by_us_ && left <= 0) {
        ::kill(child, SIGKILL);
        killed_by_us_ = true;
      }
      pollfd waiting{pipe, POLLIN, 0};
      ::poll(&waiting, 1, killed_by_us_ ? -1 : static_cast<int>(std::max<int64_t>(left, 0)));
      if (waiting.revents == 0) continue;
      char bytes[4096];
      const ssize_t got = ::read(pipe, bytes, sizeof(bytes));
      if (got <= 0) return;
      buffer.append(bytes, static_cast<size_t>(got));
      for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) {
        const std::string line = buffer.substr(0, end);
        if (line == "open") {
          if (!plan.while_opening) deadline = Clock::now() + plan.delay;
        } else {
          TakeDown(line);
        }
      }
    }
  }

  void TakeDown(const std::string& line) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    int64_t number = -1;
    ASSERT_TRUE(absl::SimpleAtoi(words.back(), &number)) << line;
    if (words.size() == 2) {
      others_[number] = words[0] == "made" ? Other::kMade : words[0] == "deleting" ? Other::kDeleting : Other::kDeleted;
      return;
    }
    ASSERT_EQ(number, acknowledged_) << "acknowledgements come in order";
    ++acknowledged_;
  }

  // Whether the write was done, which its id shows as long as it is the last to it.
  bool Done(const Collection& collection, int64_t n) {
    const auto got = collection.Get(IdOf(OwnerOf(n)), RecordView::kMetadata);
    EXPECT_TRUE(got.ok() || absl::IsNotFound(got.status())) << got.status();
    switch (ActionOf(n)) {
      case Action::kDelete: return !got.ok();
      case Action::kUpdate: return got.ok() && got->attributes.contains("changed");
      case Action::kPut: break;
    }
    return got.ok() && got->attributes.at("number") == AttributeValue(n);
  }

  // How many writes make what is there: all that were acknowledged, some more, and nothing after a gap.
  int64_t FindEnd(const Collection& collection) {
    int64_t end = acknowledged_;
    while (end < acknowledged_ + kWindow && Done(collection, end)) ++end;
    for (int64_t n = std::max<int64_t>(0, acknowledged_ - kWindow + 1); n < end; ++n) {
      EXPECT_TRUE(Done(collection, n)) << "acknowledged write " << n << " of " << acknowledged_ << " is lost";
    }
    for (int64_t n = end + 1; n < end + kWindow; ++n) {
      EXPECT_FALSE(Done(collection, n)) << "write " << n << " is there and " << end << " is not";
    }
    return end;
  }

  void Check(const Collection& collection, int64_t writes, int64_t owner) {
    SCOPED_TRACE(absl::StrCat("id ", IdOf(owner), ", ", writes, " writes, ", acknowledged_, " acknowledged"));
    const std::optional<ScriptState> state = StateAfter(writes, owner);
    const auto got = collection.Get(IdOf(owner), RecordView::kVectors);
    if (!state) {
      EXPECT_TRUE(absl::IsNotFound(got.status())) << got.status();
      return;
    }
    ASSERT_TRUE(got.ok()) << got.status();
    Record expected = ScriptedPut(state->put).record;
    if (state->change) {
      expected.attributes.erase("text");
      expected.attributes["changed"] = *state->change;
    } else {
      EXPECT_EQ(got->revision, state->first ? 1 : 2) << "a write was done twice";
    }
    EXPECT_EQ(got->attributes, expected.attributes);
    EXPECT_EQ(got->descriptor, *NormalizeDescriptor(expected.descriptor, kScriptDim));
    ASSERT_TRUE(got->tokens);
    EXPECT_EQ(got->tokens->values, expected.tokens->values);
    EXPECT_EQ(got->tokens->scales, expected.tokens->scales);
    EXPECT_EQ(got->tokens->importance, expected.tokens->importance);
    EXPECT_EQ(got->tokens->centre, expected.tokens->centre);
    EXPECT_EQ(Best(collection, expected, /*exact=*/true), got->id);
    // A graph may miss one now and then.
    ++searches_;
    missed_ += Best(collection, expected, /*exact=*/false) == got->id ? 0 : 1;
  }

  static std::string Best(const Collection& collection, const Record& record, bool exact) {
    SearchQuery query;
    query.descriptor = record.descriptor;
    query.top_k = 1;
    query.exact = exact;
    const auto outcome = collection.Search(query);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() && !outcome->hits.empty() ? outcome->hits[0].id : "nothing";
  }

  static void CheckCount(const Collection& collection, int64_t writes) {
    int64_t expected = 0;
    for (int64_t n = 0; n < writes; ++n) expected += StateAfter(writes, n) ? 1 : 0;
    int64_t present = 0;
    std::string token;
    do {
      const auto page = collection.List(1000, token, RecordView::kMetadata, "");
      ASSERT_TRUE(page.ok()) << page.status();
      present += static_cast<int64_t>(page->records.size());
      token = page->next_page_token;
    } while (!token.empty());
    EXPECT_EQ(present, expected);
    EXPECT_EQ(collection.Stats().images, expected);
  }

  void CheckOthers(const Database& database) {
    for (const auto& [k, what] : others_) {
      const auto found = database.Find(OtherName(k));
      if (what == Other::kMade) {
        ASSERT_TRUE(found.ok()) << "a collection made is lost: " << found.status();
        EXPECT_TRUE((*found)->Get(ScriptedPut(0).record.id, RecordView::kVectors).ok());
      } else if (what == Other::kDeleted) {
        EXPECT_TRUE(absl::IsNotFound(found.status())) << "a collection deleted is there: " << found.status();
      }
    }
  }

  // Each snapshot is what the first so many writes make.
  void CheckSnapshots(Database& database) {
    const auto snapshots = database.ListSnapshots(kScriptCollection);
    ASSERT_TRUE(snapshots.ok()) << snapshots.status();
    if (snapshots->empty() || random_() % 4 != 0) return;
    const SnapshotInfo& snapshot = (*snapshots)[random_() % snapshots->size()];
    SCOPED_TRACE(snapshot.name);
    const std::string name = "restored";
    const auto restored = database.RestoreSnapshot(snapshot.name, name, [](int64_t, int64_t) { return true; });
    ASSERT_TRUE(restored.ok()) << restored.status();
    EXPECT_EQ((*restored)->Stats().images, snapshot.images);
    // Its end: the last write that was done, which the last records written are near to.
    int64_t writes = 0;
    std::string token;
    do {
      const auto page = (*restored)->List(1000, token, RecordView::kMetadata, "");
      ASSERT_TRUE(page.ok()) << page.status();
      for (const Record& record : page->records) {
        writes = std::max(writes, std::get<int64_t>(record.attributes.at("number")) + 1);
      }
      token = page->next_page_token;
    } while (!token.empty());
    while (ActionOf(writes) != Action::kPut && Done(**restored, writes)) ++writes;
    for (int64_t n = std::max<int64_t>(0, writes - 100); n < writes; ++n) Check(**restored, writes, OwnerOf(n));
    CheckCount(**restored, writes);
    ASSERT_TRUE(database.Delete(name).ok());
  }

  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
  std::string data_ = folder_.Path("data");
  const std::string points_ = folder_.Path("points");
  std::mt19937 random_;
  int renewed_ = 0;
  bool killed_by_us_ = false;
  int64_t acknowledged_ = 0;  // writes 0 to this - 1
  std::map<int64_t, Other> others_;
  int64_t searches_ = 0, missed_ = 0;
};

// Half of the kills come by time, one in four of these while the data are being opened; half at kill points, by odds or
// at a point drawn from those known (and by odds when it is not passed).
Plan RandomPlan(std::mt19937& random, const KillLoop& loop) {
  Plan plan;
  plan.environment = {"SIGHTLINE_ALLOW_KILL_POINTS=1", loop.ListPoints()};
  plan.delay = milliseconds(std::uniform_int_distribution<int>(10, 200)(random));
  const std::vector<std::string> points = loop.Points();
  switch (random() % 8) {
    case 0: plan.while_opening = true; break;
    case 1:
    case 2:
    case 3: break;
    default:
      plan.environment.push_back(absl::StrCat("SIGHTLINE_KILL_ODDS=", 1 + random() % 200));
      plan.environment.push_back(absl::StrCat("SIGHTLINE_KILL_SEED=", random()));
      plan.delay = milliseconds(2'000);
      if (random() % 2 == 0 || points.empty()) break;
      plan.environment.push_back(
          absl::StrCat("SIGHTLINE_KILL_POINT=", points[random() % points.size()], ":", 1 + random() % 3));
  }
  return plan;
}

TEST(IndexKillLoopTest, NothingAcknowledgedIsLostOrHalfWritten) {
  int cycles = kDefaultCycles;
  if (const char* text = std::getenv("SIGHTLINE_KILL_CYCLES"); text != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(text, &cycles)) << text;
  }
  const unsigned seed = sightline::testing::Seed();
  std::printf("seed %u, %d cycles\n", seed, cycles);
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  KillLoop loop(seed);
  std::mt19937 random(seed + 1);
  int64_t acknowledged = 0;
  int at_points = 0;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    SCOPED_TRACE(absl::StrCat("cycle ", cycle));
    loop.Cycle(RandomPlan(random, loop));
    at_points += loop.killed_by_us() ? 0 : 1;
    const bool last = cycle + 1 == cycles || (cycle + 1) % kCyclesOfOneFolder == 0;
    // Now and then the next child, not this process, is the first to open what the kill has left.
    if (last || random() % 4 != 0) loop.Verify(/*sample=*/last ? 1000 : 30);
    if (::testing::Test::HasFailure()) return;
    if (!last) continue;
    acknowledged += loop.acknowledged();
    loop.Renew();
  }
  EXPECT_GT(acknowledged, 0);
  EXPECT_GT(at_points, 0);
  EXPECT_LE(loop.missed(), loop.searches() / 100) << "searches by the graph find too little";
  std::printf("%lld writes acknowledged, %d kills, %d of them at %d kill points\n",
              static_cast<long long>(acknowledged), cycles, at_points, static_cast<int>(loop.Points().size()));
}

// Every kill point there is, once, from empty data on.
TEST(IndexKillLoopTest, AtEveryKillPoint) {
  KillLoop survey(1);
  Plan plan;
  plan.environment = {"SIGHTLINE_ALLOW_KILL_POINTS=1", survey.ListPoints()};
  plan.delay = kMostToOpen;
  plan.writes = 1500;
  ASSERT_FALSE(survey.Cycle(plan)) << "the survey took too long";
  const std::vector<std::string> points = survey.Points();
  for (const char* known : {"commit.before_write", "commit.after_write", "commit.before_answer", "create.after_staging",
                            "create.after_rename", "delete.after_rename", "whole_file.after_rename"}) {
    EXPECT_NE(std::find(points.begin(), points.end(), known), points.end()) << known;
  }
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    KillLoop loop(2);
    Plan kill;
    kill.environment = {"SIGHTLINE_ALLOW_KILL_POINTS=1", absl::StrCat("SIGHTLINE_KILL_POINT=", point)};
    kill.delay = kMostToOpen;
    ASSERT_TRUE(loop.Cycle(kill));
    EXPECT_FALSE(loop.killed_by_us()) << "the point was not passed again";
    loop.Verify(/*sample=*/200);
    if (HasFailure()) return;
    // It goes on from there.
    plan.writes = 300;
    ASSERT_FALSE(loop.Cycle(plan));
    loop.Verify(/*sample=*/200);
  }
  std::printf("%d kill points\n", static_cast<int>(points.size()));
}

}  // namespace
}  // namespace sightline::index

int main(int argc, char** argv) {
  if (argc == 6 && absl::string_view(argv[1]) == "--child") {
    int64_t first = 0, end = 0;
    int pipe = 0;
    if (!absl::SimpleAtoi(argv[3], &first) || !absl::SimpleAtoi(argv[4], &end) || !absl::SimpleAtoi(argv[5], &pipe)) {
      return 1;
    }
    return sightline::index::RunChild(argv[2], first, end, pipe);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
