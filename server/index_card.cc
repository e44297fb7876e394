#include "server/index_card.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"
#include "index/rerank/card_transport.h"
#include "server/observe/columns.h"

namespace sightline::server {
namespace {

using index::gpu::Card;
using index::gpu::CardUse;

constexpr double kMebibyte = 1 << 20;

bool IsTooOld(const absl::Status& status) {
  return !status.ok() && base::GetErrorInfo(status).reason == "CARD_TOO_OLD";
}

absl::StatusOr<IndexCard> OpenAll(const IndexCardOptions& options, const CardOpener& opener) {
  IndexCard opened;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::shared_ptr<Card> card, FindIndexCard(options, opener));
  SIGHTLINE_ASSIGN_OR_RETURN(opened.rows, opener.rows(card));
  absl::StatusOr<std::shared_ptr<index::gpu::ListDevice>> lists = opener.lists(card);
  if (lists.ok()) {
    opened.lists = *std::move(lists);
  } else if (!absl::IsUnimplemented(lists.status())) {
    base::Log(base::Severity::kWarning, "inverted lists stay on the CPU",
              {{"card", CardName(*card)}, {"reason", std::string(lists.status().message())}});
  }
  if (options.token_bytes > 0) {
    auto transport = opener.transport(card);
    // A card that others have filled may be good for rows still, some now and some later.
    if (absl::IsResourceExhausted(transport.status())) {
      base::Log(base::Severity::kWarning, "a card has no room for patch tokens; re-ranking stays on the CPU",
                {{"card", CardName(*card)}, {"reason", std::string(transport.status().message())}});
    } else {
      SIGHTLINE_RETURN_IF_ERROR(transport.status());
      opened.transport = *std::move(transport);
    }
  }
  base::Log(base::Severity::kInfo, "the index uses a card",
            {{"card", CardName(*card)},
             {"name", card->name()},
             {"bytes_for_descriptors", absl::StrCat(card->budget_bytes(CardUse::kRows))},
             {"inverted_lists", opened.lists == nullptr ? "on the CPU" : "on the card"},
             {"bytes_for_tokens", absl::StrCat(opened.transport == nullptr ? 0 : opened.transport->Stats().bytes)}});
  return opened;
}

}  // namespace

std::string CardName(const Card& card) { return absl::StrCat("cuda:", card.device()); }

CardOpener CudaCards() {
  return {.card = &index::gpu::OpenCard,
          .rows = [](std::shared_ptr<Card> card) { return index::gpu::OpenRows(std::move(card)); },
          .lists = [](std::shared_ptr<Card> card) { return index::gpu::OpenLists(std::move(card)); },
          .transport = [](std::shared_ptr<Card> card) { return index::rerank::OpenCardTransport(std::move(card)); }};
}

absl::StatusOr<std::shared_ptr<Card>> FindIndexCard(const IndexCardOptions& options, const CardOpener& opener) {
  const bool named = options.choice.kind == CardChoice::Kind::kCard;
  index::gpu::CardOptions wanted = {
      .device = named ? options.choice.card : 0, .row_bytes = options.row_bytes, .token_bytes = options.token_bytes};
  absl::StatusOr<std::shared_ptr<Card>> card = opener.card(wanted);
  if (named || !IsTooOld(card.status())) return card;
  const absl::Status first = card.status();
  while (IsTooOld(card.status())) {
    ++wanted.device;
    card = opener.card(wanted);
  }
  if (card.ok()) return card;
  // That there is no further card says less.
  return first;
}

absl::StatusOr<IndexCard> OpenIndexCard(const IndexCardOptions& options, const CardOpener& opener) {
  if (options.choice.kind == CardChoice::Kind::kCpu) return IndexCard();
  absl::StatusOr<IndexCard> card = OpenAll(options, opener);
  if (card.ok() || options.choice.kind == CardChoice::Kind::kCard) return card;
  IndexCard none;
  none.why_not = std::string(card.status().message());
  base::Log(base::Severity::kInfo, "the index uses no card", {{"reason", none.why_not}});
  return none;
}

std::string CardText(const IndexCard& opened) {
  if (opened.rows == nullptr) {
    return opened.why_not.empty() ? "" : absl::StrCat("index on the CPU: ", Printable(opened.why_not), "\n");
  }
  const Card& card = *opened.rows->card();
  const index::gpu::CardCounts counts = card.counts();
  std::string out = absl::StrFormat(
      "index on %s (%s)%s: descriptors %.1f of %.1f MiB\n  %d scans, %d left to the CPU as too close, %d failures\n",
      CardName(card), Printable(card.name()), card.lost() ? ", LOST, everything is done on the CPU" : "",
      static_cast<double>(card.used_bytes(CardUse::kRows)) / kMebibyte,
      static_cast<double>(card.budget_bytes(CardUse::kRows)) / kMebibyte, counts.scans, counts.uncertified,
      counts.failures);
  absl::StrAppend(&out, "  inverted lists on the ", opened.lists == nullptr ? "CPU" : "card", "\n");
  if (opened.transport == nullptr) return out + "  re-ranking on the CPU\n";
  const index::rerank::TransportDeviceStats stats = opened.transport->Stats();
  absl::StrAppendFormat(
      &out,
      "  patch tokens %.1f of %.1f MiB, %d images\n  %d pairs re-ranked, %d left to the CPU; tokens of "
      "%d images were there, of %d not, %d made room\n",
      static_cast<double>(stats.bytes_used) / kMebibyte, static_cast<double>(stats.bytes) / kMebibyte, stats.images,
      stats.scored, stats.left_to_cpu, stats.found, stats.uploads, stats.evicted);
  return out;
}

void AddCardSamples(const IndexCard& opened, std::vector<Metrics::Sample>* samples) {
  if (opened.rows == nullptr) return;
  const Card& card = *opened.rows->card();
  const auto add = [&](const char* name, auto value, std::map<std::string, std::string> labels = {}) {
    labels["card"] = CardName(card);
    samples->push_back({name, std::move(labels), static_cast<double>(value)});
  };
  const index::gpu::CardCounts counts = card.counts();
  add("sightline_card_lost", card.lost() ? 1 : 0);
  add("sightline_card_failures_total", counts.failures);
  add("sightline_card_scans_total", counts.scans);
  add("sightline_card_uncertified_scans_total", counts.uncertified);
  add("sightline_card_budget_bytes", card.budget_bytes(CardUse::kRows), {{"use", "descriptors"}});
  add("sightline_card_used_bytes", card.used_bytes(CardUse::kRows), {{"use", "descriptors"}});
  const index::rerank::TransportDeviceStats stats =
      opened.transport == nullptr ? index::rerank::TransportDeviceStats() : opened.transport->Stats();
  add("sightline_card_budget_bytes", stats.bytes, {{"use", "tokens"}});
  add("sightline_card_used_bytes", stats.bytes_used, {{"use", "tokens"}});
  add("sightline_card_token_images", stats.images);
  add("sightline_card_token_hits_total", stats.found);
  add("sightline_card_token_uploads_total", stats.uploads);
  add("sightline_card_token_evictions_total", stats.evicted);
  add("sightline_card_pairs_total", stats.scored, {{"result", "scored"}});
  add("sightline_card_pairs_total", stats.left_to_cpu, {{"result", "left_to_cpu"}});
}

}  // namespace sightline::server
