-- Adminer 4.8.1 MySQL 8.0.36 dump

SET NAMES utf8;
SET time_zone = '+00:00';
SET foreign_key_checks = 0;

USE `crm`;

DROP TABLE IF EXISTS `lead`;
CREATE TABLE `lead` (
  `id` int NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO `lead` (`id`) VALUES
(1),
(2)
ON DUPLICATE KEY UPDATE `id` = VALUES(`id`);

-- 2024-02-29 10:11:12
