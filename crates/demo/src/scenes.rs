//! The scenes, in order.

mod agent;
mod back_again;
mod crash;
mod dead_receiver;
mod first_webhook;
mod front_desk;
mod job;
mod knowledge;
mod night;
mod no_show;
mod reminded;
mod reminder;
mod retry;
mod rollback;

use super::Scene;

pub const SCENES: [Scene; 14] = [
    Scene {
        title: "A row changes, a signed webhook arrives",
        about: "Three statements: the extension, where events go, which table has them. The receiver gets the secret that \
                add_endpoint() returned, and refuses what is not signed with it.",
        play: first_webhook::play,
    },
    Scene {
        title: "What is rolled back is not sent",
        about: "The event is part of the transaction: the row and its webhook, both or neither.",
        play: rollback::play,
    },
    Scene {
        title: "A receiver that fails twice",
        about: "The receiver of billing answers 500 to its first two requests; the third is accepted.",
        play: retry::play,
    },
    Scene {
        title: "A job",
        about: "SQL that runs by a schedule, as its owner. No cron daemon, no other extension.",
        play: job::play,
    },
    Scene {
        title: "A reminder",
        about: "One statement on an ordinary table: emit this event a day before that column, if the row still qualifies.",
        play: reminder::play,
    },
    Scene {
        title: "A handbook that answers",
        about: "Texts in an ordinary table get their vectors from an embedding service, by themselves. Three questions, in other \
                words than the answers.",
        play: knowledge::play,
    },
    Scene {
        title: "A dead receiver delays nobody",
        about: "Where the partner should listen, connections are refused. The others get theirs as fast as before.",
        play: dead_receiver::play,
    },
    Scene {
        title: "The server dies with deliveries outstanding",
        about: "Every process of the server is killed with SIGKILL while webhooks are on their way. It recovers and goes on.",
        play: crash::play,
    },
    Scene {
        title: "At 3 a.m.: what is wrong, and since when",
        about: "The partner has complained that nothing arrives.",
        play: night::play,
    },
    Scene {
        title: "The dead receiver is back",
        about: "Its events have waited in the log, at the cost of one row and its few failed attempts.",
        play: back_again::play,
    },
    Scene {
        title: "A front desk in one statement",
        about: "Accounts, leads, appointments, reminders, agents: ordinary tables of yours, on what the other scenes showed. \
                Somebody fills in a form, and writes again.",
        play: front_desk::play,
    },
    Scene {
        title: "An AI agent books",
        about: "A model gets tools as JSON Schemas and calls them by name. Its mistakes come back as words that it understands; \
                who the client is comes from the channel, not from the model.",
        play: agent::play,
    },
    Scene {
        title: "Reminded, moved, and reminded again",
        about: "Reminders are timers. Nothing polls, and they move with the appointment.",
        play: reminded::play,
    },
    Scene {
        title: "The client does not come",
        about: "Half an hour after the end somebody asks whether he came.",
        play: no_show::play,
    },
];
