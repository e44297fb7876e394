// How the card of the index is opened, what becomes of it where there is none, and what is told of it; over fakes.
#include "server/index_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status.h"
#include "tests/index/fake_card.h"

namespace sightline::server {
namespace {

using index::gpu::Card;
using index::gpu::CardUse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = CardChoice::Kind;

class FakeCardTransport : public index::rerank::TransportDevice {
 public:
  absl::StatusOr<std::vector<std::optional<index::rerank::TransportScore>>> Score(
      const index::rerank::TransportQuery&, absl::Span<const index::rerank::Patches>) override {
    return absl::UnimplementedError("not asked for here");
  }
  index::rerank::TransportDeviceStats Stats() const override {
    return {.scored = 70,
            .left_to_cpu = 6,
            .uploads = 5,
            .found = 40,
            .evicted = 3,
            .failures = 1,
            .images = 2,
            .bytes_used = 1 << 20,
            .bytes = 8 << 20};
  }
};

// A machine with these cards: what opening each of them ends with.
class FakeMachine {
 public:
  explicit FakeMachine(std::vector<std::string> reasons) : reasons_(std::move(reasons)) {}

  CardOpener Opener() {
    return {.card = [this](const index::gpu::CardOptions& options) { return OpenCard(options); },
            .rows = [this](std::shared_ptr<Card> card) -> absl::StatusOr<std::shared_ptr<index::gpu::RowDevice>> {
              if (!rows_status.ok()) return rows_status;
              rows = std::make_shared<index::FakeRowDevice>(std::move(card));
              return rows;
            },
            .lists = [this](std::shared_ptr<Card>) -> absl::StatusOr<std::shared_ptr<index::gpu::ListDevice>> {
              if (!lists_status.ok()) return lists_status;
              return std::make_shared<index::FakeListDevice>(1000);
            },
            .transport =
                [this](std::shared_ptr<Card> card) -> absl::StatusOr<std::unique_ptr<index::rerank::TransportDevice>> {
              transport_card = std::move(card);
              if (!transport_status.ok()) return transport_status;
              return std::make_unique<FakeCardTransport>();
            }};
  }

  std::vector<int> asked;
  std::optional<index::gpu::CardOptions> last;
  std::shared_ptr<index::FakeRowDevice> rows;
  std::shared_ptr<Card> transport_card;
  absl::Status rows_status, lists_status, transport_status;

 private:
  absl::StatusOr<std::shared_ptr<Card>> OpenCard(const index::gpu::CardOptions& options) {
    asked.push_back(options.device);
    last = options;
    const auto device = static_cast<size_t>(options.device);
    const std::string reason = device < reasons_.size() ? reasons_[device] : "NO_SUCH_CARD";
    if (!reason.empty()) {
      return base::FailedPrecondition(reason, absl::StrCat(reason, " of cuda:", device, ". Leave it."));
    }
    return std::make_shared<Card>(options.device, "fake\ncard",
                                  index::gpu::CardBudget{.rows = 4 << 20, .tokens = options.token_bytes});
  }

  const std::vector<std::string> reasons_;  // empty: it opens
};

class IndexCardTest : public ::testing::Test {
 protected:
  IndexCardTest() { base::SetLogLevel(base::Severity::kOff); }
};

TEST_F(IndexCardTest, IsNotLookedForUnlessAskedFor) {
  FakeMachine machine({""});
  const auto card = OpenIndexCard({}, machine.Opener());
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_THAT(machine.asked, IsEmpty());
  EXPECT_EQ(card->rows, nullptr);
  EXPECT_EQ(card->transport, nullptr);
  EXPECT_EQ(CardText(*card), "");
}

TEST_F(IndexCardTest, IsOneForRowsAndTokensWithTheirBudgets) {
  FakeMachine machine({"", ""});
  const auto card =
      OpenIndexCard({.choice = {.kind = Kind::kCard, .card = 1}, .row_bytes = 77, .token_bytes = 99}, machine.Opener());
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_THAT(machine.asked, ElementsAre(1)) << "opened once";
  EXPECT_EQ(machine.last->row_bytes, 77);
  EXPECT_EQ(machine.last->token_bytes, 99);
  EXPECT_EQ(card->rows, machine.rows);
  EXPECT_NE(card->transport, nullptr);
  EXPECT_EQ(card->rows->card(), machine.transport_card);
}

TEST_F(IndexCardTest, ACardThatIsNamedAndCannotBeUsedIsRefused) {
  const IndexCardOptions named = {.choice = {.kind = Kind::kCard, .card = 0}};
  for (const char* reason : {"NO_CUDA_BUILD", "NO_CUDA_DRIVER", "NO_SUCH_CARD", "CARD_TOO_OLD", "CARD_TOO_SMALL"}) {
    FakeMachine machine({reason, ""});
    EXPECT_EQ(base::GetErrorInfo(OpenIndexCard(named, machine.Opener()).status()).reason, reason);
    EXPECT_THAT(machine.asked, ElementsAre(0)) << "no other one in its place";
  }
  FakeMachine lost({""});
  lost.rows_status = base::Error(absl::StatusCode::kInternal, "CARD_LOST", "it is lost. Mend it.");
  EXPECT_EQ(base::GetErrorInfo(OpenIndexCard(named, lost.Opener()).status()).reason, "CARD_LOST");
  lost.transport_status = std::exchange(lost.rows_status, absl::OkStatus());
  EXPECT_EQ(base::GetErrorInfo(OpenIndexCard(named, lost.Opener()).status()).reason, "CARD_LOST");
}

TEST_F(IndexCardTest, AutoTakesTheFirstThatIsNewEnough) {
  FakeMachine machine({"CARD_TOO_OLD", "CARD_TOO_OLD", "", ""});
  const auto card = OpenIndexCard({.choice = {.kind = Kind::kAuto}}, machine.Opener());
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_THAT(machine.asked, ElementsAre(0, 1, 2));
  ASSERT_NE(card->rows, nullptr);
  EXPECT_EQ(card->rows->card()->device(), 2);
  EXPECT_EQ(card->why_not, "");
}

TEST_F(IndexCardTest, AutoIsTheCpuWithAReasonWhereNoneWillDo) {
  for (const std::vector<std::string>& reasons : {std::vector<std::string>{"NO_CUDA_BUILD"},
                                                  {"NO_CUDA_DRIVER"},
                                                  {"CARD_TOO_SMALL", ""},
                                                  {"CARD_TOO_OLD"},
                                                  {"CARD_TOO_OLD", "CARD_TOO_OLD"}}) {
    SCOPED_TRACE(absl::StrJoin(reasons, ", "));
    FakeMachine machine(reasons);
    const auto card = OpenIndexCard({.choice = {.kind = Kind::kAuto}}, machine.Opener());
    ASSERT_TRUE(card.ok()) << card.status();
    EXPECT_EQ(card->rows, nullptr);
    EXPECT_EQ(card->transport, nullptr);
    EXPECT_THAT(card->why_not, HasSubstr(reasons.front() + " of cuda:0"));
    EXPECT_EQ(CardText(*card), absl::StrCat("index on the CPU: ", card->why_not, "\n"));
  }
  FakeMachine lost({""});
  lost.transport_status = base::Error(absl::StatusCode::kInternal, "CARD_LOST", "it is lost. Mend it.");
  const auto card = OpenIndexCard({.choice = {.kind = Kind::kAuto}}, lost.Opener());
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_EQ(card->rows, nullptr) << "half of a card that is lost";
  EXPECT_EQ(card->why_not, "it is lost. Mend it.");
}

TEST_F(IndexCardTest, InvertedListsAreThereWhereFaissHasAGpu) {
  for (const Kind kind : {Kind::kAuto, Kind::kCard}) {
    FakeMachine machine({""});
    auto card = OpenIndexCard({.choice = {.kind = kind}}, machine.Opener());
    ASSERT_TRUE(card.ok()) << card.status();
    EXPECT_NE(card->lists, nullptr);
    EXPECT_THAT(CardText(*card), HasSubstr("inverted lists on the card"));
    for (const absl::StatusCode code : {absl::StatusCode::kUnimplemented, absl::StatusCode::kInternal}) {
      machine.lists_status = base::Error(code, "FAISS_FAILED", "there are none. Build some.");
      card = OpenIndexCard({.choice = {.kind = kind}}, machine.Opener());
      ASSERT_TRUE(card.ok()) << card.status();
      EXPECT_NE(card->rows, nullptr);
      EXPECT_EQ(card->lists, nullptr);
      EXPECT_THAT(CardText(*card), HasSubstr("inverted lists on the CPU"));
    }
  }
}

TEST_F(IndexCardTest, WithoutRoomForTokensRowsMayHaveIt) {
  for (const Kind kind : {Kind::kAuto, Kind::kCard}) {
    FakeMachine machine({""});
    machine.transport_status = base::Error(absl::StatusCode::kResourceExhausted, "CARD_FULL", "it is full. Empty it.");
    const auto card = OpenIndexCard({.choice = {.kind = kind}}, machine.Opener());
    ASSERT_TRUE(card.ok()) << card.status();
    EXPECT_NE(card->rows, nullptr);
    EXPECT_EQ(card->transport, nullptr);
    EXPECT_THAT(CardText(*card), HasSubstr("\n  re-ranking on the CPU\n"));
  }
  FakeMachine machine({""});
  const auto card = OpenIndexCard({.choice = {.kind = Kind::kAuto}, .token_bytes = 0}, machine.Opener());
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_NE(card->rows, nullptr);
  EXPECT_EQ(machine.transport_card, nullptr) << "not asked for";
}

TEST_F(IndexCardTest, ThePageAndTheMetricsSayWhatItDoes) {
  FakeMachine machine({""});
  const auto card = OpenIndexCard({.choice = {.kind = Kind::kAuto}}, machine.Opener());
  ASSERT_TRUE(card.ok()) << card.status();
  const std::shared_ptr<Card> shared = card->rows->card();
  const auto memory = Card::Reserve(shared, CardUse::kRows, 1 << 20);
  ASSERT_TRUE(memory.ok()) << memory.status();
  for (int i = 0; i < 5; ++i) shared->CountScan();
  shared->CountUncertified();
  const std::string page = CardText(*card);
  EXPECT_THAT(page, HasSubstr("index on cuda:0 (fake?card): descriptors 1.0 of 4.0 MiB\n"));
  EXPECT_THAT(page, HasSubstr("5 scans, 1 left to the CPU as too close, 0 failures\n"));
  EXPECT_THAT(page, HasSubstr("patch tokens 1.0 of 8.0 MiB, 2 images\n"));
  EXPECT_THAT(page, HasSubstr("70 pairs re-ranked, 6 left to the CPU"));
  EXPECT_THAT(page, Not(HasSubstr("LOST")));

  Metrics metrics(10);
  metrics.SetCollector([&] {
    std::vector<Metrics::Sample> samples;
    AddCardSamples(*card, &samples);
    return samples;
  });
  shared->Failed(base::Error(absl::StatusCode::kInternal, "CARD_LOST", "it is lost. Mend it."));
  const std::string text = metrics.Text();
  for (const char* line :
       {R"(sightline_card_lost{card="cuda:0"} 1)", R"(sightline_card_failures_total{card="cuda:0"} 1)",
        R"(sightline_card_scans_total{card="cuda:0"} 5)", R"(sightline_card_uncertified_scans_total{card="cuda:0"} 1)",
        R"(sightline_card_budget_bytes{card="cuda:0",use="descriptors"} 4194304)",
        R"(sightline_card_used_bytes{card="cuda:0",use="descriptors"} 1048576)",
        R"(sightline_card_budget_bytes{card="cuda:0",use="tokens"} 8388608)",
        R"(sightline_card_used_bytes{card="cuda:0",use="tokens"} 1048576)",
        R"(sightline_card_token_images{card="cuda:0"} 2)", R"(sightline_card_token_hits_total{card="cuda:0"} 40)",
        R"(sightline_card_token_uploads_total{card="cuda:0"} 5)",
        R"(sightline_card_token_evictions_total{card="cuda:0"} 3)",
        R"(sightline_card_pairs_total{card="cuda:0",result="scored"} 70)",
        R"(sightline_card_pairs_total{card="cuda:0",result="left_to_cpu"} 6)"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line + "\n"));
  }
  EXPECT_THAT(CardText(*card), HasSubstr("LOST, everything is done on the CPU"));
}

TEST_F(IndexCardTest, WithoutACardThereIsNothingToCount) {
  std::vector<Metrics::Sample> samples;
  AddCardSamples({}, &samples);
  EXPECT_THAT(samples, IsEmpty());
}

}  // namespace
}  // namespace sightline::server
