// The kill loop: a child process writes numbered records and reports each acknowledgement through a pipe; the parent
// kills it at a random moment, opens the data itself, and compares with what was acknowledged.
//
// Everything about write n follows from n alone. Four of five writes are new ids; the fifth replaces the record written
// four numbers earlier. Writes are queued in order, so acknowledgements come in order, and the next child sends
// everything from the first unacknowledged number again, with the same request ids: a write that had reached the disk
// unacknowledged must not be done twice, which the revisions show.
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
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "index/database.h"
#include "index/validate.h"
#include "tests/support/temp_folder.h"

extern char** environ;

namespace sightline::index {
namespace {

constexpr int kDim = 48;
constexpr int kInFlight = 64;
constexpr int kDefaultCycles = 40;
constexpr absl::string_view kCollection = "kills";

// Whether write n replaces an earlier record.
bool Replaces(int64_t n) { return n % 5 == 4; }
// The write whose id write n uses.
int64_t Owner(int64_t n) { return Replaces(n) ? n - 4 : n; }
std::string IdOf(int64_t n) { return absl::StrCat("r", Owner(n)); }

Write MakeNumbered(int64_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::normal_distribution<float> normal;
  Write write;
  write.request_id = absl::StrCat("q", n);
  Record& record = write.record;
  record.id = IdOf(n);
  record.attributes = {{"number", n}, {"text", std::string(static_cast<size_t>(n % 50), 'x')}};
  for (int i = 0; i < kDim; ++i) record.descriptor.push_back(normal(random));
  // Half of the token values exceed the size from which they live in blob files.
  PatchTokens tokens{7, 7, n % 2 == 0 ? 96 : 32, {}, {}, {}, {}};
  const size_t dim = static_cast<size_t>(tokens.dim);
  for (size_t i = 0; i < 49 * dim; ++i) tokens.values.push_back(static_cast<int8_t>(random()));
  for (size_t i = 0; i < 49; ++i) tokens.scales.push_back(normal(random));
  tokens.importance.assign(49, 1.0f / 49);
  for (size_t i = 0; i < dim; ++i) tokens.centre.push_back(normal(random));
  record.tokens = std::move(tokens);
  return write;
}

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& folder) {
  base::SetLogLevel(base::Severity::kError);
  return Database::Open({.directory = folder});
}

absl::StatusOr<std::shared_ptr<Collection>> FindOrCreate(Database& database) {
  auto found = database.Find(std::string(kCollection));
  if (found.ok() || !absl::IsNotFound(found.status())) return found;
  CollectionConfig config;
  config.name = std::string(kCollection);
  config.embedding_space = "space";
  config.token_space = "tokens";
  config.descriptor_dim = kDim;
  return database.Create(config);
}

// The child: writes first, first + 1, ... until it is killed, and prints each number once it is acknowledged.
int RunChild(const std::string& folder, int64_t first, int pipe) {
  const auto database = OpenDatabase(folder);
  if (!database.ok()) {
    std::fprintf(stderr, "child: %s\n", database.status().ToString().c_str());
    return 2;
  }
  const auto collection = FindOrCreate(**database);
  if (!collection.ok()) {
    std::fprintf(stderr, "child: %s\n", collection.status().ToString().c_str());
    return 3;
  }
  if (::write(pipe, "open\n", 5) != 5) return 5;
  base::Mutex mutex;
  base::CondVar changed;
  int in_flight = 0;
  for (int64_t n = first;; ++n) {
    {
      base::MutexLock lock(mutex);
      while (in_flight >= kInFlight) changed.Wait(mutex);
      ++in_flight;
    }
    (*collection)->PutAsync(MakeNumbered(n), [&, n](absl::StatusOr<WriteResult> result) {
      if (!result.ok()) {
        std::fprintf(stderr, "child: write %lld: %s\n", static_cast<long long>(n), result.status().ToString().c_str());
        std::_Exit(4);
      }
      const std::string line = absl::StrCat(n, "\n");
      if (::write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(5);
      base::MutexLock lock(mutex);
      --in_flight;
      changed.NotifyOne();
    });
  }
}

class KillLoop {
 public:
  explicit KillLoop(unsigned seed) : random_(seed) {}

  // Starts a child, kills it after a random time, and takes down what it acknowledged.
  void Cycle() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const std::string first = absl::StrCat(acknowledged_);
    const std::string descriptor = absl::StrCat(kChildPipe);
    std::array<const char*, 6> arguments = {"/proc/self/exe", "--child",          data_.c_str(),
                                            first.c_str(),    descriptor.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kChildPipe);
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, const_cast<char**>(arguments.data()), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    // One kill in four may come while the child still opens the data; the others come while it writes, however slow the
    // machine is.
    const auto delay = std::chrono::milliseconds(std::uniform_int_distribution<int>(20, 300)(random_));
    Collect(ends[0], child, delay, /*while_opening=*/random_() % 4 == 0);
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself, status " << status;
  }

  // Opens the data and compares it with what was acknowledged: the records around the end, and `sample` others.
  void Verify(int sample) {
    auto database = OpenDatabase(data_);
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->damaged().empty()) << (*database)->damaged()[0].status;
    const auto collection = FindOrCreate(**database);
    ASSERT_TRUE(collection.ok()) << collection.status();
    int64_t present = 0;
    // A record acknowledged, and a record that may be there: nothing beyond what was in flight can be.
    for (int64_t n = std::max<int64_t>(0, acknowledged_ - 400); n < acknowledged_ + 2 * kInFlight; ++n)
      Check(**collection, n);
    for (int i = 0; i < sample && acknowledged_ > 0; ++i) {
      Check(**collection, static_cast<int64_t>(random_() % static_cast<uint64_t>(acknowledged_)));
    }
    std::string token;
    do {
      const auto page = (*collection)->List(1000, token, RecordView::kMetadata, "");
      ASSERT_TRUE(page.ok()) << page.status();
      present += static_cast<int64_t>(page->records.size());
      token = page->next_page_token;
    } while (!token.empty());
    EXPECT_EQ((*collection)->Stats().images, present);
    EXPECT_GE(present, CountIds(acknowledged_));
    EXPECT_LE(present, CountIds(acknowledged_ + 2 * kInFlight));
  }

  int64_t acknowledged() const { return acknowledged_; }

 private:
  static constexpr int kChildPipe = 100;
  static constexpr std::chrono::milliseconds kMostToOpen{60'000};

  // Ids used by writes 0 to n - 1.
  static int64_t CountIds(int64_t n) { return n - n / 5; }

  // Reads acknowledgements until the child is dead; kills it `delay` after its start, or after it has opened the data.
  void Collect(int pipe, pid_t child, std::chrono::milliseconds delay, bool while_opening) {
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + (while_opening ? delay : kMostToOpen);
    bool killed = false;
    std::string buffer;
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (!killed && left <= 0) {
        ::kill(child, SIGKILL);
        killed = true;
      }
      pollfd waiting{pipe, POLLIN, 0};
      ::poll(&waiting, 1, killed ? -1 : static_cast<int>(std::max<int64_t>(left, 0)));
      if (waiting.revents == 0) continue;
      char bytes[4096];
      const ssize_t got = ::read(pipe, bytes, sizeof(bytes));
      if (got <= 0) return;
      buffer.append(bytes, static_cast<size_t>(got));
      for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) {
        const std::string line = buffer.substr(0, end);
        if (line == "open") {
          if (!while_opening) deadline = Clock::now() + delay;
          continue;
        }
        int64_t number = -1;
        ASSERT_TRUE(absl::SimpleAtoi(line, &number)) << line;
        ASSERT_EQ(number, acknowledged_) << "acknowledgements come in order";
        ++acknowledged_;
      }
    }
  }

  // The record of write n is what some write to its id made it: one not before the last acknowledged.
  void Check(const Collection& collection, int64_t n) {
    SCOPED_TRACE(absl::StrCat("write ", n, " of ", acknowledged_, " acknowledged"));
    const auto got = collection.Get(IdOf(n), RecordView::kVectors);
    if (!got.ok()) {
      EXPECT_TRUE(absl::IsNotFound(got.status())) << got.status();
      EXPECT_GE(Owner(n), acknowledged_) << "an acknowledged record is lost";
      return;
    }
    const auto it = got->attributes.find("number");
    ASSERT_NE(it, got->attributes.end());
    const int64_t found = std::get<int64_t>(it->second);
    const int64_t owner = Owner(n);
    const int64_t replacement = owner + 4;
    const bool replaced = owner % 5 == 0 && found == replacement;
    ASSERT_TRUE(found == owner || replaced) << found;
    if (owner % 5 == 0 && replacement < acknowledged_) {
      EXPECT_EQ(found, replacement) << "an acknowledged replacement is lost";
    }
    EXPECT_EQ(got->revision, replaced ? 2 : 1) << "a write was done twice";
    const Record expected = MakeNumbered(found).record;
    EXPECT_EQ(got->attributes, expected.attributes);
    EXPECT_EQ(got->descriptor, *NormalizeDescriptor(expected.descriptor, kDim));
    ASSERT_TRUE(got->tokens);
    EXPECT_EQ(got->tokens->values, expected.tokens->values);
    EXPECT_EQ(got->tokens->scales, expected.tokens->scales);
    EXPECT_EQ(got->tokens->importance, expected.tokens->importance);
    EXPECT_EQ(got->tokens->centre, expected.tokens->centre);
    SearchQuery query;
    query.descriptor = expected.descriptor;
    query.top_k = 1;
    const auto outcome = collection.Search(query);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    ASSERT_EQ(outcome->hits.size(), 1u);
    EXPECT_EQ(outcome->hits[0].id, got->id);
  }

  sightline::testing::TempFolder folder_;
  const std::string data_ = folder_.path() + "/data";
  std::mt19937 random_;
  int64_t acknowledged_ = 0;  // writes 0 to this - 1
};

TEST(IndexKillLoopTest, NothingAcknowledgedIsLostOrHalfWritten) {
  int cycles = kDefaultCycles;
  if (const char* text = std::getenv("SIGHTLINE_KILL_CYCLES"); text != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(text, &cycles)) << text;
  }
  const unsigned seed = std::random_device()();
  std::printf("seed %u, %d cycles\n", seed, cycles);
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  KillLoop loop(seed);
  std::mt19937 random(seed + 1);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    SCOPED_TRACE(absl::StrCat("cycle ", cycle));
    loop.Cycle();
    // Now and then the next child, not this process, is the first to open what the kill has left.
    if (random() % 4 != 0) loop.Verify(/*sample=*/50);
    if (::testing::Test::HasFailure()) return;
  }
  loop.Verify(/*sample=*/2000);
  EXPECT_GT(loop.acknowledged(), 0);
  std::printf("%lld writes acknowledged, %d kills\n", static_cast<long long>(loop.acknowledged()), cycles);
}

}  // namespace
}  // namespace sightline::index

int main(int argc, char** argv) {
  if (argc == 5 && absl::string_view(argv[1]) == "--child") {
    int64_t first = 0;
    int pipe = 0;
    if (!absl::SimpleAtoi(argv[3], &first) || !absl::SimpleAtoi(argv[4], &pipe)) return 1;
    return sightline::index::RunChild(argv[2], first, pipe);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
