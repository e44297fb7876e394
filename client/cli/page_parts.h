// The parts of an ExplainPage that are text and numbers.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_PAGE_PARTS_H_
#define SIGHTLINE_CLIENT_CLI_PAGE_PARTS_H_

#include <string>

#include "client/cli/explain_page.h"

namespace sightline::cli {

// A bar that splits the score into the cosine and the weighted structural score, with the numbers, the transported mass
// and the confidence.
std::string ScoreParts(const PageMatch& match);

// The strongest pairs, a row each.
std::string PairTable(const v1::Evidence& evidence);

// What the script draws: boxes, masses, cosines and heat-maps. Numbers and null alone, so that nothing in it can be
// markup. Pairs with a number that is not finite are left out, as are heat-maps whose size is not that of their grid.
std::string PairNumbers(const v1::Evidence& evidence);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_PAGE_PARTS_H_
